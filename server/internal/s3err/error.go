package s3err

import (
	"errors"
	"fmt"
)

// Field is one extra element of an error document, such as BucketName or Key.
type Field struct {
	Name  string // an XML element name, a constant of the program and never a client's input
	Value string // any bytes; AppendXML escapes them
}

// Error is what a request is answered with. Make one with New or Newf; the zero value has no status.
type Error struct {
	Code    Code
	Message string
	Status  int // HTTP status
	Fields  []Field

	cause error
}

// New gives the error of code with AWS's own message. An unknown code gives status 500.
func New(code Code) *Error {
	d := code.entry()
	return &Error{Code: code, Message: d.message, Status: d.status}
}

// Newf gives the error of code with a message of its own.
func Newf(code Code, format string, args ...any) *Error {
	e := New(code)
	e.Message = fmt.Sprintf(format, args...)
	return e
}

// Error names the code and the message, and the cause where there is one.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// With gives a copy of e with one more field.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.Fields = append(append(make([]Field, 0, len(e.Fields)+1), e.Fields...), Field{Name: name, Value: value})
	return &c
}

// WithMessage gives a copy of e with another message.
func (e *Error) WithMessage(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// Wrap gives a copy of e that unwraps to cause. The cause is for logs: no client sees it.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Unwrap gives the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Field gives the value of the first field called name, or "".
func (e *Error) Field(name string) string {
	for _, f := range e.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Is reports whether err is, or wraps, an *Error of that code.
func Is(err error, code Code) bool {
	var e *Error
	for errors.As(err, &e) {
		if e.Code == code {
			return true
		}
		err = e.cause
	}
	return false
}
