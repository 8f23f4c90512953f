package website

import "encoding/xml"

// Configuration is the body of PutBucketWebsite: RedirectAllRequestsTo alone, or an IndexDocument and what goes with it.
type Configuration struct {
	XMLName               xml.Name     `xml:"WebsiteConfiguration"`
	RedirectAllRequestsTo *RedirectAll `xml:",omitempty"`
	IndexDocument         *Index       `xml:",omitempty"`
	ErrorDocument         *ErrorKey    `xml:",omitempty"`
	RoutingRules          *Rules       `xml:",omitempty"`
}

// RedirectAll sends every request to another host.
type RedirectAll struct {
	HostName string
	Protocol string `xml:",omitempty"` // http or https; "": that of the request
}

// Index names the object that a path ending in "/" means.
type Index struct{ Suffix string }

// ErrorKey names the object that is shown for an error of class 4XX.
type ErrorKey struct{ Key string }

// Rules are the routing rules, in the order in which they are asked.
type Rules struct {
	Rules []Rule `xml:"RoutingRule"`
}

// Rule redirects the requests that meet its condition, or all when it has none.
type Rule struct {
	Condition *Condition `xml:",omitempty"`
	Redirect  Redirect
}

// Condition holds when all that it names does.
type Condition struct {
	KeyPrefixEquals             *string `xml:",omitempty"`
	HTTPErrorCodeReturnedEquals *string `xml:"HttpErrorCodeReturnedEquals,omitempty"`
}

// Redirect says where to; what it leaves out stays as it was in the request.
type Redirect struct {
	Protocol             string  `xml:",omitempty"`
	HostName             string  `xml:",omitempty"`
	ReplaceKeyPrefixWith *string `xml:",omitempty"`
	ReplaceKeyWith       *string `xml:",omitempty"`
	HTTPRedirectCode     string  `xml:"HttpRedirectCode,omitempty"`
}

// Parse reads a configuration that was checked before.
func Parse(document []byte) (*Configuration, error) {
	c := new(Configuration)
	return c, xml.Unmarshal(document, c)
}
