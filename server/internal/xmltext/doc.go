// Package xmltext writes character data of the XML that the server answers by hand: listings and errors. Both must
// treat odd keys alike, and neither can afford encoding/xml.
package xmltext
