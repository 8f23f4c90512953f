package website

import (
	"strconv"
	"strings"

	"pail/server/internal/s3err"
)

// maxRules is S3's bound of routing rules.
const maxRules = 50

func malformed() error { return s3err.New(s3err.MalformedXML) }

func request(format string, args ...any) error {
	return s3err.Newf(s3err.InvalidRequest, format, args...)
}

func argument(name, value, message string) error {
	return s3err.Newf(s3err.InvalidArgument, "%s", message).With("ArgumentName", name).With("ArgumentValue", value)
}

// Check tells what S3 would refuse in the configuration.
func (c *Configuration) Check() error {
	if c.RedirectAllRequestsTo != nil {
		return c.checkRedirectAll()
	}
	switch {
	case c.IndexDocument == nil:
		return argument("IndexDocument", "null", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty")
	case c.IndexDocument.Suffix == "" || strings.Contains(c.IndexDocument.Suffix, "/"):
		return argument("IndexDocument", c.IndexDocument.Suffix, "The IndexDocument Suffix is not well formed")
	case c.ErrorDocument != nil && c.ErrorDocument.Key == "":
		return malformed()
	case c.RoutingRules == nil:
		return nil
	case len(c.RoutingRules.Rules) == 0:
		return malformed()
	case len(c.RoutingRules.Rules) > maxRules:
		return request("The number of routing rules must not exceed %d.", maxRules)
	}
	for i := range c.RoutingRules.Rules {
		if err := c.RoutingRules.Rules[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Configuration) checkRedirectAll() error {
	if c.IndexDocument != nil || c.ErrorDocument != nil || c.RoutingRules != nil {
		return argument("RedirectAllRequestsTo", "not null", "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
	}
	if c.RedirectAllRequestsTo.HostName == "" {
		return malformed()
	}
	return checkProtocol(c.RedirectAllRequestsTo.Protocol)
}

func checkProtocol(p string) error {
	if p != "" && p != "http" && p != "https" {
		return request("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
	}
	return nil
}

func (r *Rule) check() error {
	if c := r.Condition; c != nil {
		if c.KeyPrefixEquals == nil && c.HTTPErrorCodeReturnedEquals == nil {
			return request("Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.")
		}
		if code := c.HTTPErrorCodeReturnedEquals; code != nil && !statusBetween(*code, 400, 599) {
			return request("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", *code)
		}
	}
	d := r.Redirect
	switch {
	case d == Redirect{}:
		return malformed()
	case d.ReplaceKeyPrefixWith != nil && d.ReplaceKeyWith != nil:
		return request("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	case d.HTTPRedirectCode != "" && !statusBetween(d.HTTPRedirectCode, 301, 399):
		return request("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", d.HTTPRedirectCode)
	}
	return checkProtocol(d.Protocol)
}

func statusBetween(code string, least, most int) bool {
	n, err := strconv.Atoi(code)
	return err == nil && len(code) == 3 && n >= least && n <= most
}
