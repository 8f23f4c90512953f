package policy

import "strings"

// keyUse says which actions may be asked for a condition key.
type keyUse struct {
	actions string // in lower case, separated by spaces; "" for all
	prefix  bool   // "name/" with anything behind it
}

// The actions by which the keys of one kind may be narrowed.
const (
	listing   = "s3:listbucket s3:listbucketversions"
	uploading = "s3:putobject"
	aclSetter = "s3:putobject s3:putobjectacl s3:putobjectversionacl s3:putbucketacl s3:createbucket"
	locking   = "s3:putobject s3:putobjectretention s3:bypassgovernanceretention s3:putobjectlegalhold s3:getobjectlegalhold s3:getobjectretention"
)

// conditionKeys are the keys that policies may name. Those of networks, organizations and services that this server does
// not have are known, and no request has a value for them. It is never written to.
var conditionKeys = func() map[string]keyUse {
	m := map[string]keyUse{}
	add := func(names string, use keyUse) {
		for name := range strings.FieldsSeq(names) {
			m[name] = use
		}
	}
	add(`aws:sourceip aws:securetransport aws:referer aws:useragent aws:currenttime aws:epochtime aws:principalarn
		aws:principalaccount aws:principaltype aws:userid aws:username aws:requestedregion aws:resourceaccount
		aws:sourcevpc aws:sourcevpce aws:sourcevpcarn aws:vpcsourceip aws:sourcearn aws:sourceaccount aws:sourceowner
		aws:sourceorgid aws:sourceorgpaths aws:principalorgid aws:principalorgpaths aws:principalisawsservice
		aws:principalservicename aws:principalservicenameslist aws:resourceorgid aws:resourceorgpaths aws:viaawsservice
		aws:calledvia aws:calledviafirst aws:calledvialast aws:federatedprovider aws:multifactorauthage
		aws:multifactorauthpresent aws:tokenissuetime aws:tagkeys
		s3:authtype s3:signatureversion s3:signatureage s3:x-amz-content-sha256 s3:tlsversion s3:resourceaccount
		s3:dataaccesspointarn s3:dataaccesspointaccount s3:accesspointnetworkorigin s3:accessgrantsinstancearn`, keyUse{})
	add(`aws:principaltag aws:requesttag aws:resourcetag s3:buckettag`, keyUse{prefix: true})
	add(`s3:prefix s3:delimiter s3:max-keys`, keyUse{actions: listing})
	add(`s3:x-amz-acl s3:x-amz-grant-full-control s3:x-amz-grant-read s3:x-amz-grant-read-acp s3:x-amz-grant-write
		s3:x-amz-grant-write-acp`, keyUse{actions: aclSetter})
	add(`s3:x-amz-copy-source s3:x-amz-metadata-directive s3:x-amz-server-side-encryption
		s3:x-amz-server-side-encryption-aws-kms-key-id s3:x-amz-server-side-encryption-customer-algorithm
		s3:x-amz-storage-class s3:x-amz-website-redirect-location s3:if-none-match`, keyUse{actions: uploading})
	add(`s3:if-match`, keyUse{actions: uploading + " s3:deleteobject"})
	add(`s3:object-lock-mode s3:object-lock-retain-until-date s3:object-lock-remaining-retention-days
		s3:object-lock-legal-hold`, keyUse{actions: locking})
	add(`s3:versionid`, keyUse{actions: `s3:deleteobjectversion s3:deleteobjectversiontagging s3:getobjectversion s3:getobjectversionacl
		s3:getobjectversionattributes s3:getobjectversiontagging s3:getobjectversiontorrent s3:putobjectversionacl
		s3:putobjectversiontagging s3:putobject s3:getobject s3:restoreobject`})
	add(`s3:existingobjecttag`, keyUse{prefix: true})
	add(`s3:requestobjecttag`, keyUse{prefix: true, actions: "s3:putobject s3:putobjecttagging s3:putobjectversiontagging"})
	add(`s3:requestobjecttagkeys`, keyUse{actions: "s3:putobject s3:putobjecttagging s3:putobjectversiontagging"})
	add(`s3:locationconstraint`, keyUse{actions: "s3:createbucket"})
	add(`s3:x-amz-object-ownership`, keyUse{actions: "s3:createbucket s3:putbucketownershipcontrols"})
	return m
}()

// keyOf finds a canonical key.
func keyOf(key string) (keyUse, bool) {
	head, tail, slash := strings.Cut(key, "/")
	use, ok := conditionKeys[head]
	return use, ok && use.prefix == slash && (!slash || tail != "")
}

// checkConditions refuses a statement with a key that none of its actions can have.
func (s *statement) checkConditions() error {
	if s.actions.not {
		return nil
	}
	for _, c := range s.conditions {
		use, _ := keyOf(c.key)
		if use.actions == "" {
			continue
		}
		fit := false
		for a := range strings.FieldsSeq(use.actions) {
			fit = fit || s.actions.match(a, nil)
		}
		if !fit {
			return &Error{"Conditions do not apply to combination of actions and resources in statement"}
		}
	}
	return nil
}
