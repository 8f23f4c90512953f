package s3api

import (
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"

	"pail/server/internal/s3err"
)

// routes is the operation table indexed for look-up. It is built once and never written to again.
type routes struct {
	plain map[routeKey][]*op // rows without a sub-resource
	sub   map[routeKey][]*op // rows with one, by its name
	names map[string]bool    // every sub-resource of the table
}

type routeKey struct {
	scope  scope
	method string
	sub    string
}

func newRoutes(rows []op) *routes {
	rt := &routes{plain: map[routeKey][]*op{}, sub: map[routeKey][]*op{}, names: map[string]bool{}}
	for i := range rows {
		o := &rows[i]
		k := routeKey{scope: o.scope, method: o.method}
		if len(o.query) == 0 {
			rt.plain[k] = append(rt.plain[k], o)
			continue
		}
		name, _, hasValue := strings.Cut(o.query[0], "=")
		k.sub = name
		rt.sub[k] = append(rt.sub[k], o)
		if !hasValue {
			rt.names[name] = true
		}
	}
	for _, m := range []map[routeKey][]*op{rt.plain, rt.sub} {
		for _, list := range m {
			sort.SliceStable(list, func(i, j int) bool { return list[i].weight() > list[j].weight() })
		}
	}
	return rt
}

// weight orders the rows of one sub-resource: the one that asks for most is tried first.
func (o *op) weight() int {
	w := 2 * len(o.query)
	if o.header != "" {
		w++
	}
	return w
}

// find gives the operation that a request asks for, or MethodNotAllowed, or InvalidArgument when the request names
// two sub-resources at once.
func (rt *routes) find(s scope, method string, query url.Values, header http.Header) (*op, error) {
	var found *op
	var sub string
	for name := range query {
		list := rt.sub[routeKey{s, method, name}]
		o := firstMatch(list, query, header)
		switch {
		case o == nil && rt.names[name]:
			return nil, s3err.New(s3err.MethodNotAllowed).With("Method", method).With("ResourceType", resourceType(s, name))
		case o == nil:
		case found != nil:
			return nil, conflictingQuery(sub, name)
		default:
			found, sub = o, name
		}
	}
	if found != nil {
		return found, nil
	}
	if o := firstMatch(rt.plain[routeKey{scope: s, method: method}], query, header); o != nil {
		return o, nil
	}
	return nil, s3err.New(s3err.MethodNotAllowed).With("Method", method).With("ResourceType", resourceType(s, ""))
}

// allow lists the methods of what a request names, as the answer to another method must.
func (rt *routes) allow(s scope, query url.Values) string {
	table, sub := rt.plain, ""
	for name := range query {
		if rt.names[name] {
			table, sub = rt.sub, name
		}
	}
	var methods []string
	for k := range table {
		if k.scope == s && k.sub == sub {
			methods = append(methods, k.method)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

func firstMatch(list []*op, query url.Values, header http.Header) *op {
	for _, o := range list {
		if o.matches(query, header) {
			return o
		}
	}
	return nil
}

func (o *op) matches(query url.Values, header http.Header) bool {
	for _, want := range o.query {
		name, value, hasValue := strings.Cut(want, "=")
		got, ok := query[name]
		if !ok || hasValue && got[0] != value {
			return false
		}
	}
	return o.header == "" || header[o.header] != nil
}

func conflictingQuery(a, b string) error {
	if a > b {
		a, b = b, a
	}
	return s3err.Newf(s3err.InvalidArgument, "Conflicting query string parameters: %s, %s", a, b).
		With("ArgumentName", "ResourceType").With("ArgumentValue", a)
}

// resourceType names a resource as AWS's MethodNotAllowed does.
func resourceType(s scope, sub string) string {
	if sub != "" {
		return strings.ToUpper(sub)
	}
	return strings.ToUpper(string(s))
}
