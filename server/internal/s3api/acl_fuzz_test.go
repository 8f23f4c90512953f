package s3api

import (
	"testing"

	"pail/server/internal/acl"
	"pail/server/internal/s3err"
)

// FuzzACLDocument: whatever comes as a list of grants is refused with a code, or can be stored and read again.
func FuzzACLDocument(f *testing.F) {
	f.Add([]byte(`<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="x" xsi:type="Group">` +
		`<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>` +
		`<Grant><Grantee xmlns:xsi="x" xsi:type="CanonicalUser"><ID>a b</ID></Grantee><Permission>WRITE</Permission></Grant></AccessControlList></AccessControlPolicy>`))
	f.Add([]byte(`<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList/></AccessControlPolicy>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var d aclDocument
		if parseXML(body, &d) != nil {
			return
		}
		r := &request{api: &API{}}
		list, err := r.documentACL(&d, subject{owner: "o", bucketOwner: "o"})
		if err != nil {
			if e, unknown := From(err); unknown || e.Code == s3err.InternalError {
				t.Fatal(err)
			}
			return
		}
		again, err := acl.Decode(list.Encode(), "o")
		if err != nil || !equalACL(list, again) {
			t.Fatalf("%q: %v %v %v", body, list, again, err)
		}
	})
}
