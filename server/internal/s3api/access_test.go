package s3api_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server"
	"pail/server/internal/s3api"
	"pail/server/servertest"
)

// The accounts of these tests: the scene's own, another one with two users, and nobody.
const (
	ownerNumber = "111122223333"
	otherNumber = "444455556666"
	ownerID     = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	otherID     = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// cast is a scene with several accounts.
type cast struct {
	*scene
	other, user, clerk, nobody *s3.Client
}

func newCast(t *testing.T) *cast {
	t.Helper()
	return newCastWith(t, servertest.Options{})
}

func newCastWith(t *testing.T, opt servertest.Options) *cast {
	t.Helper()
	c, _ := newCastOf(t, opt)
	return c
}

// newCastOf gives the accounts file too.
func newCastOf(t *testing.T, opt servertest.Options) (c *cast, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "accounts.json")
	text := fmt.Sprintf(`{"accounts":[
		{"name":"owner","shortid":%q,"canonicalID":%q,"email":"owner@example.org","keys":[{"access":%q,"secret":%q}],
		 "users":[{"name":"clerk","keys":[{"access":"CLERK","secret":"clerk-secret"}]}]},
		{"name":"other","shortid":%q,"canonicalID":%q,"email":"other@example.org","keys":[{"access":"OTHER","secret":"other-secret"}],
		 "users":[{"name":"user","keys":[{"access":"USER","secret":"user-secret"}]}]}]}`,
		ownerNumber, ownerID, servertest.AccessKey, servertest.SecretKey, otherNumber, otherID)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	accounts, err := server.OpenAccounts(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	opt.Keys = accounts
	c = &cast{scene: newScene(t, opt)}
	client := func(access, secret string) *s3.Client {
		return s3.New(s3.Options{BaseEndpoint: aws.String(c.URL), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1, HTTPClient: c.http,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, nil
			})})
	}
	c.other, c.user, c.clerk = client("OTHER", "other-secret"), client("USER", "user-secret"), client("CLERK", "clerk-secret")
	c.nobody = s3.New(s3.Options{BaseEndpoint: aws.String(c.URL), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1, HTTPClient: c.http,
		Credentials: aws.AnonymousCredentials{}})
	return c, file
}

// expect checks the code of an error, "" for none.
func (c *cast) expect(what string, err error, code string) {
	c.Helper()
	if got := apiCode(err); got != code {
		c.Errorf("%s: %q, want %q", what, got, code)
	}
}

func read(client *s3.Client, key string) error {
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	return err
}

func write(client *s3.Client, key string, opts ...func(*s3.PutObjectInput)) error {
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader("body")}
	for _, o := range opts {
		o(in)
	}
	_, err := client.PutObject(ctx, in)
	return err
}

func remove(client *s3.Client, key string) error {
	_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	return err
}

func list(client *s3.Client, prefix ...string) error {
	in := &s3.ListObjectsV2Input{Bucket: aws.String(bucket)}
	if len(prefix) > 0 {
		in.Prefix = aws.String(prefix[0])
	}
	_, err := client.ListObjectsV2(ctx, in)
	return err
}

// policy sets the bucket's policy.
func (c *cast) policy(statements ...string) {
	c.Helper()
	text := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	_, err := c.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: aws.String(text)})
	if err != nil {
		c.Fatalf("%s: %v", text, err)
	}
}

func statement(effect, principal, action, resource string, more ...string) string {
	return fmt.Sprintf(`{"Effect":%q,"Principal":%s,"Action":%q,"Resource":"arn:aws:s3:::%s"%s}`, effect, principal, action, resource, strings.Join(more, ""))
}

func (c *cast) ownership(o types.ObjectOwnership) {
	c.Helper()
	_, err := c.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: aws.String(bucket),
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: o}}}})
	if err != nil {
		c.Fatal(err)
	}
}

func (c *cast) block(b types.PublicAccessBlockConfiguration) {
	c.Helper()
	_, err := c.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String(bucket), PublicAccessBlockConfiguration: &b})
	if err != nil {
		c.Fatal(err)
	}
}

func TestNothingIsSharedByDefault(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	for name, client := range map[string]*s3.Client{"other account": c.other, "its user": c.user, "nobody": c.nobody} {
		c.expect(name+" reads", read(client, "k"), "AccessDenied")
		c.expect(name+" reads what is not there", read(client, "none"), "AccessDenied")
		c.expect(name+" writes", write(client, "k"), "AccessDenied")
		c.expect(name+" deletes", remove(client, "k"), "AccessDenied")
		c.expect(name+" lists", list(client), "AccessDenied")
		_, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
		c.expect(name+" reads the policy", err, "AccessDenied")
		_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
		c.expect(name+" deletes the bucket", err, "AccessDenied")
	}
	c.expect("a user of the owner", read(c.clerk, "k"), "")
	_, err := c.nobody.ListBuckets(ctx, nil)
	c.expect("nobody's buckets", err, "AccessDenied")
	_, err = c.nobody.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("nobodys")})
	c.expect("nobody's bucket", err, "AccessDenied")
	refused := c.send(c.request("HEAD", "/bucket", ""))
	if refused.status != 403 || refused.header.Get("X-Amz-Bucket-Region") != "us-east-1" {
		t.Errorf("HeadBucket without credentials: %d %v", refused.status, refused.header)
	}
	c.expect("a bucket that is not there", func() error {
		_, err := c.other.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("missing")})
		return err
	}(), "NotFound")
}

func TestBucketsHaveOwners(t *testing.T) {
	c := newCast(t)
	create := func(client *s3.Client, name string) error {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)})
		return err
	}
	c.expect("another's bucket", create(c.other, bucket), "BucketAlreadyExists")
	c.expect("one's own again, in us-east-1", create(c.s3, bucket), "")
	c.expect("a new one", create(c.user, "others"), "")
	for client, want := range map[*s3.Client]string{c.s3: bucket, c.clerk: bucket, c.other: "others"} {
		out, err := client.ListBuckets(ctx, nil)
		if err != nil || len(out.Buckets) != 1 || *out.Buckets[0].Name != want {
			t.Errorf("buckets of %s: %v %v", want, out, err)
		}
	}
	out, err := c.other.ListBuckets(ctx, nil)
	if err != nil || *out.Owner.ID != otherID {
		t.Errorf("owner: %v %v", out, err)
	}
	head := func(owner string) error {
		_, err := c.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String(bucket), ExpectedBucketOwner: aws.String(owner)})
		return err
	}
	c.expect("the expected owner", head(ownerNumber), "")
	c.expect("another expected owner", head(otherNumber), "AccessDenied")
	c.expect("no account", head("me"), "InvalidBucketOwnerAWSAccountID")
}

// The quota of an account in the accounts file holds soon after the file has changed.
func TestAccountsHaveQuotas(t *testing.T) {
	c, file := newCastOf(t, servertest.Options{})
	c.put("k", "0123456789")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	limited := strings.Replace(string(text), `"name":"owner",`, `"name":"owner","quota":12,`, 1)
	if err := os.WriteFile(file, []byte(limited), 0o600); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(time.Minute)
	for i := 0; apiCode(write(c.s3, fmt.Sprint("more", i))) != "QuotaExceeded"; i++ {
		if time.Now().After(end) {
			t.Fatal("the account grows beyond its quota")
		}
	}
	c.expect("it may shrink", write(c.s3, "k"), "")
	if _, err := c.other.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("others")}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = c.other.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("others"), Key: aws.String("k"), Body: strings.NewReader(strings.Repeat("x", 20))})
		c.expect("another account", err, "")
	}
}

func TestPoliciesDecide(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	c.put("secret/k", "body")
	c.policy(statement("Allow", `"*"`, "s3:GetObject", bucket+"/*"), statement("Deny", `"*"`, "s3:*", bucket+"/secret/*"))
	c.expect("nobody reads", read(c.nobody, "k"), "")
	c.expect("nobody reads a secret", read(c.nobody, "secret/k"), "AccessDenied")
	c.expect("the owner is denied too", read(c.s3, "secret/k"), "AccessDenied")
	c.expect("what is not there, without the right to list", read(c.nobody, "none"), "AccessDenied")
	c.expect("what is not there, for the owner", read(c.s3, "none"), "NoSuchKey")
	c.expect("nobody writes", write(c.nobody, "k"), "AccessDenied")

	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:*", bucket+"/*"), statement("Allow", `{"AWS":"arn:aws:iam::`+otherNumber+`:user/user"}`, "s3:ListBucket", bucket,
		`,"Condition":{"StringLike":{"s3:prefix":"home/*"}}`))
	c.expect("another account writes", write(c.other, "home/x"), "")
	c.expect("its user reads", read(c.user, "home/x"), "")
	c.expect("it does not list", list(c.other), "AccessDenied")
	c.expect("its user lists there", list(c.user, "home/"), "")
	c.expect("and not elsewhere", list(c.user), "AccessDenied")
	c.expect("nobody reads now", read(c.nobody, "k"), "AccessDenied")
	out, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("home/"), FetchOwner: aws.Bool(true)})
	if err != nil || *out.Contents[0].Owner.ID != ownerID {
		t.Errorf("enforced ownership: %v %v", out, err)
	}

	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:*", bucket))
	_, err = c.other.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("the policy is for the owner's account only, whoever is allowed", err, "MethodNotAllowed")
	_, err = c.nobody.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("and for nobody else", err, "AccessDenied")
	_, err = c.clerk.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("a user of it", err, "")

	c.policy(statement("Deny", `{"AWS":"arn:aws:iam::`+ownerNumber+`:root"}`, "s3:*", bucket), statement("Deny", `"*"`, "s3:*", bucket+"/*"))
	c.expect("the owner lists", list(c.s3), "AccessDenied")
	_, err = c.clerk.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("a user cannot help", err, "AccessDenied")
	got, err := c.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	if err != nil || !strings.Contains(*got.Policy, `"Deny"`) {
		t.Errorf("the policy: %v %v", got, err)
	}
	_, err = c.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("the owner takes the policy away", err, "")
	c.expect("and lists again", list(c.s3), "")
	_, err = c.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("no policy", err, "NoSuchBucketPolicy")
}

func TestPoliciesSeeTheRequest(t *testing.T) {
	c := newCast(t)
	public := func(action, condition string) {
		c.policy(statement("Allow", `"*"`, action, bucket+"/*", `,"Condition":`+condition))
	}
	c.put("k", "body")
	tagged := func(in *s3.PutObjectInput) { in.Tagging = aws.String("team=red") }
	c.put("red", "body", tagged)
	for _, x := range []struct {
		condition string
		want      string
	}{
		{`{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`, ""},
		{`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, "AccessDenied"},
		{`{"Bool":{"aws:SecureTransport":"true"}}`, "AccessDenied"},
		{`{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, "AccessDenied"},
		{`{"StringLike":{"aws:UserAgent":"*aws-sdk-go*"}}`, ""},
		{`{"Null":{"aws:PrincipalArn":"true"}}`, ""},
	} {
		public("s3:GetObject", x.condition)
		c.expect(x.condition, read(c.nobody, "k"), x.want)
	}
	public("s3:GetObject", `{"StringEquals":{"s3:ExistingObjectTag/team":"red"}}`)
	c.expect("a tagged object", read(c.nobody, "red"), "")
	c.expect("one that is not", read(c.nobody, "k"), "AccessDenied")
	public("s3:Put*", `{"StringEquals":{"s3:RequestObjectTag/team":"blue"}}`)
	c.expect("a tag asked for", write(c.nobody, "b", func(in *s3.PutObjectInput) { in.Tagging = aws.String("team=blue") }), "")
	c.expect("another tag", write(c.nobody, "b", tagged), "AccessDenied")
	c.policy(statement("Allow", `"*"`, "s3:PutObject", bucket+"/*"), statement("Deny", `"*"`, "s3:PutObject", bucket+"/*", `,"Condition":{"Null":{"s3:if-none-match":"true"}}`))
	c.expect("without the condition", write(c.nobody, "c"), "AccessDenied")
	c.expect("with it", write(c.nobody, "c", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }), "")
}

func TestPoliciesSeeTheBody(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	tag := func(client *s3.Client, value string) error {
		_, err := client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("k"),
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("team"), Value: aws.String(value)}}}})
		return err
	}
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:PutObjectTagging", bucket+"/*", `,"Condition":{"StringEquals":{"s3:RequestObjectTag/team":"red"}}`),
		statement("Deny", `"*"`, "s3:PutObjectTagging", bucket+"/*", `,"Condition":{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":"team"}}`))
	c.expect("the tag", tag(c.other, "red"), "")
	c.expect("another tag", tag(c.other, "blue"), "AccessDenied")
	c.expect("nobody", tag(c.nobody, "red"), "AccessDenied")
	c.expect("the owner", tag(c.s3, "blue"), "")
	c.want("the owner with a key that is denied", c.do("PUT", path("k")+"?tagging",
		"<Tagging><TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet></Tagging>"), 403, "AccessDenied")
	if _, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("locked"), ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	policy := `{"Statement":[` + statement("Deny", `"*"`, "s3:PutObjectRetention", "locked/*", `,"Condition":{"NumericGreaterThan":{"s3:object-lock-remaining-retention-days":"10"}}`) + `]}`
	if _, err := c.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String("locked"), Policy: aws.String(policy)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("k"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	keep := func(days int) error {
		_, err := c.s3.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{Bucket: aws.String("locked"), Key: aws.String("k"),
			Retention: &types.ObjectLockRetention{Mode: "GOVERNANCE", RetainUntilDate: aws.Time(time.Now().AddDate(0, 0, days))}})
		return err
	}
	c.expect("too long", keep(20), "AccessDenied")
	c.expect("not too long", keep(5), "")
}

func TestCopiesNeedBothSides(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	if _, err := c.other.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("others")}); err != nil {
		t.Fatal(err)
	}
	copyTo := func(client *s3.Client, from, to string) error {
		b, k, _ := strings.Cut(to, "/")
		_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String(b), Key: aws.String(k), CopySource: aws.String(from)})
		return err
	}
	c.expect("a source of another", copyTo(c.other, bucket+"/k", "others/k"), "AccessDenied")
	c.expect("a source of another that is not there", copyTo(c.other, bucket+"/none", "others/k"), "AccessDenied")
	c.expect("a destination of another", copyTo(c.s3, bucket+"/k", "others/k"), "AccessDenied")
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:GetObject", bucket+"/*"))
	c.expect("with the right to read", copyTo(c.other, bucket+"/k", "others/k"), "")
	c.put("tagged", "body", func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=b") })
	c.expect("tags that cannot be read", copyTo(c.other, bucket+"/tagged", "others/k"), "AccessDenied")
	_, err := c.other.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("others"), Key: aws.String("k"), CopySource: aws.String(bucket + "/tagged"), TaggingDirective: "REPLACE"})
	c.expect("and need not be", err, "")
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:GetObject*", bucket+"/*"))
	c.expect("with the right to read them", copyTo(c.other, bucket+"/tagged", "others/k"), "")
	up, err := c.other.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("others"), Key: aws.String("m")})
	if err != nil {
		t.Fatal(err)
	}
	part := func(source string) error {
		_, err := c.other.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: aws.String("others"), Key: aws.String("m"), UploadId: up.UploadId,
			PartNumber: aws.Int32(1), CopySource: aws.String(source)})
		return err
	}
	c.expect("a part", part(bucket+"/k"), "")
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:PutObject", bucket+"/*"))
	c.expect("a part without the right", part(bucket+"/k"), "AccessDenied")
	a := c.do("PUT", path("new/")+"?renameObject", "", "X-Amz-Rename-Source: old/")
	c.want("rename of nothing", a, 404, "NoSuchKey")
	c.policy(statement("Deny", `"*"`, "s3:DeleteObject", bucket+"/k"))
	a = c.do("PUT", path("k2")+"?renameObject", "", "X-Amz-Rename-Source: k")
	c.want("a rename deletes", a, 403, "AccessDenied")
	a = c.do("PUT", path("new/")+"?renameObject", "", "X-Amz-Rename-Source: old/")
	c.want("a prefix under a policy that denies", a, 403, "AccessDenied")
	out, err := c.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("k")}, {Key: aws.String("x")}}}})
	if err != nil || len(out.Deleted) != 1 || len(out.Errors) != 1 || *out.Errors[0].Code != "AccessDenied" || *out.Errors[0].Key != "k" {
		t.Errorf("one key of several: %+v %v", out, err)
	}
}

func TestMalformedPolicies(t *testing.T) {
	c := newCast(t)
	for text, message := range map[string]string{
		"x":  "Policies must be valid JSON and the first byte must be '{'",
		"{}": "Missing required field Statement",
		`{"Statement":[` + statement("Allow", `{"AWS":"999999999999"}`, "s3:GetObject", bucket+"/*") + `]}`:            "Invalid principal in policy",
		`{"Statement":[` + statement("Allow", `"*"`, "s3:GetObject", "another/*") + `]}`:                               "Policy has invalid resource",
		`{"Statement":[` + statement("Allow", `"*"`, "s3:GetObject", bucket) + `]}`:                                    "Action does not apply to any resource(s) in statement",
		`{"Statement":[` + statement("Allow", `"*"`, "s3:GetObject", bucket+"/*") + `]}` + strings.Repeat(" ", 20<<10): "Policy exceeds the maximum allowed document size.",
	} {
		a := c.do("PUT", "/"+bucket+"?policy", text)
		c.want(text[:min(len(text), 80)], a, 400, "MalformedPolicy")
		if got := strings.ReplaceAll(a.element("Message"), "&#39;", "'"); got != message {
			t.Errorf("%s: %q, want %q", text[:min(len(text), 80)], got, message)
		}
	}
}

func TestPublicAccessBlock(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	c.ownership(types.ObjectOwnershipObjectWriter)
	_, err := c.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String(bucket)})
	c.expect("none", err, "NoSuchPublicAccessBlockConfiguration")
	status := func() bool {
		out, err := c.s3.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: aws.String(bucket)})
		if err != nil {
			t.Fatal(err)
		}
		return *out.PolicyStatus.IsPublic
	}
	share := func() error {
		_, err := c.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(bucket),
			Policy: aws.String(`{"Statement":[` + statement("Allow", `"*"`, "s3:GetObject", bucket+"/*") + `]}`)})
		return err
	}
	c.block(types.PublicAccessBlockConfiguration{BlockPublicPolicy: aws.Bool(true)})
	c.expect("a public policy", share(), "AccessDenied")
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:GetObject", bucket+"/*"))
	if status() {
		t.Error("a policy for one account is public")
	}
	c.block(types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)})
	c.expect("an account that is named", read(c.other, "k"), "")
	c.expect("a public policy", share(), "")
	if !status() {
		t.Error("a policy for everybody is not public")
	}
	c.expect("nobody, restricted", read(c.nobody, "k"), "AccessDenied")
	c.expect("another account, restricted", read(c.other, "k"), "AccessDenied")
	c.expect("a user of the owner", read(c.clerk, "k"), "")

	acl := func(name types.ObjectCannedACL) error {
		_, err := c.s3.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k"), ACL: name})
		return err
	}
	c.block(types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)})
	c.expect("nobody reads again", read(c.nobody, "k"), "")
	c.expect("a public ACL", acl("public-read"), "AccessDenied")
	c.expect("a new object with one", write(c.s3, "n", func(in *s3.PutObjectInput) { in.ACL = "public-read" }), "AccessDenied")
	c.expect("a private one", acl("private"), "")
	_, err = c.s3.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: aws.String(bucket)})
	c.expect("without block", err, "")
	_, err = c.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	c.expect("without policy", err, "")
	c.expect("a public ACL", acl("public-read"), "")
	c.expect("nobody reads by it", read(c.nobody, "k"), "")
	c.block(types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)})
	c.expect("which is ignored", read(c.nobody, "k"), "AccessDenied")
	out, err := c.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String(bucket)})
	if err != nil || !*out.PublicAccessBlockConfiguration.IgnorePublicAcls || *out.PublicAccessBlockConfiguration.BlockPublicAcls {
		t.Errorf("%v %v", out, err)
	}
}

func TestACLs(t *testing.T) {
	c := newCast(t)
	c.ownership(types.ObjectOwnershipObjectWriter)
	c.put("k", "body")
	acl := func(opts ...func(*s3.PutObjectAclInput)) error {
		in := &s3.PutObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k")}
		for _, o := range opts {
			o(in)
		}
		_, err := c.s3.PutObjectAcl(ctx, in)
		return err
	}
	canned := func(name types.ObjectCannedACL) func(*s3.PutObjectAclInput) {
		return func(in *s3.PutObjectAclInput) { in.ACL = name }
	}
	for _, x := range []struct {
		acl           types.ObjectCannedACL
		nobody, other string
	}{{"public-read", "", ""}, {"authenticated-read", "AccessDenied", ""}, {"private", "AccessDenied", "AccessDenied"}} {
		c.expect(string(x.acl), acl(canned(x.acl)), "")
		c.expect(string(x.acl)+", nobody", read(c.nobody, "k"), x.nobody)
		c.expect(string(x.acl)+", another account", read(c.other, "k"), x.other)
	}
	c.expect("a grant", acl(func(in *s3.PutObjectAclInput) { in.GrantRead = aws.String(`emailAddress="other@example.org"`) }), "")
	c.expect("by which another account reads", read(c.user, "k"), "")
	_, err := c.other.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	c.expect("but not the list", err, "AccessDenied")
	c.expect("an unknown address", acl(func(in *s3.PutObjectAclInput) { in.GrantRead = aws.String(`emailAddress="x@example.org"`) }), "UnresolvableGrantByEmailAddress")
	c.expect("an unknown id", acl(func(in *s3.PutObjectAclInput) { in.GrantRead = aws.String(`id="x"`) }), "InvalidArgument")
	c.expect("two ways at once", acl(canned("private"), func(in *s3.PutObjectAclInput) { in.GrantRead = aws.String(`id="` + otherID + `"`) }), "InvalidRequest")
	document := func(in *s3.PutObjectAclInput) {
		in.AccessControlPolicy = &types.AccessControlPolicy{Owner: &types.Owner{ID: aws.String(ownerID)}, Grants: []types.Grant{
			{Permission: "FULL_CONTROL", Grantee: &types.Grantee{Type: "CanonicalUser", ID: aws.String(ownerID)}},
			{Permission: "READ_ACP", Grantee: &types.Grantee{Type: "CanonicalUser", ID: aws.String(otherID)}},
			{Permission: "READ", Grantee: &types.Grantee{Type: "Group", URI: aws.String("http://acs.amazonaws.com/groups/global/AllUsers")}}}}
	}
	c.expect("a document", acl(document), "")
	c.expect("a document and a header", acl(document, canned("private")), "UnexpectedContent")
	got, err := c.other.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	if err != nil || len(got.Grants) != 3 || *got.Owner.ID != ownerID || *got.Owner.DisplayName != "owner" || got.Grants[2].Grantee.Type != "Group" {
		t.Errorf("the list comes back: %+v %v", got, err)
	}
	up, err := c.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"), ACL: "public-read"})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}}}); err != nil {
		t.Fatal(err)
	}
	c.expect("a multipart upload with a list", read(c.nobody, "m"), "")
	copied := func(opts ...func(*s3.CopyObjectInput)) error {
		in := &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/m")}
		for _, o := range opts {
			o(in)
		}
		_, err := c.s3.CopyObject(ctx, in)
		return err
	}
	c.expect("a copy", copied(), "")
	c.expect("is private", read(c.nobody, "copy"), "AccessDenied")
	c.expect("a copy with a list", copied(func(in *s3.CopyObjectInput) { in.ACL = "public-read" }), "")
	c.expect("is shared", read(c.nobody, "copy"), "")
	c.want("nothing", c.do("PUT", path("k")+"?acl", ""), 400, "MissingSecurityHeader")
	c.want("no list", c.do("PUT", path("k")+"?acl", "<AccessControlPolicy/>"), 400, "MalformedACLError")
	c.want("no XML", c.do("PUT", path("k")+"?acl", "x"), 400, "MalformedACLError")
}

func TestBucketACLs(t *testing.T) {
	c := newCast(t)
	c.ownership(types.ObjectOwnershipObjectWriter)
	c.put("mine", "body")
	acl := func(name types.BucketCannedACL) {
		t.Helper()
		if _, err := c.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: name}); err != nil {
			t.Fatal(err)
		}
	}
	acl("public-read")
	c.expect("nobody lists", list(c.nobody), "")
	c.expect("which shows no object", read(c.nobody, "mine"), "AccessDenied")
	c.expect("but that one is not there", read(c.nobody, "none"), "NoSuchKey")
	c.expect("nobody writes", write(c.nobody, "x"), "AccessDenied")
	acl("public-read-write")
	c.expect("another account writes", write(c.other, "theirs"), "")
	c.expect("and owns it", read(c.other, "theirs"), "")
	c.expect("the bucket's owner does not read it", read(c.s3, "theirs"), "AccessDenied")
	c.expect("unless given", write(c.other, "given", func(in *s3.PutObjectInput) { in.ACL = "bucket-owner-full-control" }), "")
	c.expect("as here", read(c.s3, "given"), "")
	tag := func(client *s3.Client, key string) error {
		_, err := client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String(key),
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
		return err
	}
	c.expect("its owner tags it", tag(c.other, "theirs"), "")
	c.expect("but nothing of others", tag(c.other, "mine"), "AccessDenied")
	c.expect("nobody tags", tag(c.nobody, "theirs"), "AccessDenied")
	c.expect("nobody writes with tags", write(c.nobody, "tagged", func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=b") }), "")
	c.expect("what nobody wrote, nobody reads", write(c.nobody, "nobodys"), "")
	c.expect("as its owner", read(c.nobody, "nobodys"), "")
	c.expect("the bucket's owner does not", read(c.s3, "nobodys"), "AccessDenied")
	c.block(types.PublicAccessBlockConfiguration{IgnorePublicAcls: aws.Bool(true)})
	c.expect("nor nobody, where public ACLs are ignored", read(c.nobody, "nobodys"), "AccessDenied")
	c.block(types.PublicAccessBlockConfiguration{})
	c.policy(statement("Allow", `"*"`, "s3:GetObject", bucket+"/*"))
	c.expect("a policy shares the owner's objects", read(c.nobody, "mine"), "")
	c.expect("and no others", read(c.nobody, "theirs"), "AccessDenied")
	out, err := c.s3.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String(bucket), Prefix: aws.String("theirs")})
	if err != nil || *out.Contents[0].Owner.ID != otherID || *out.Contents[0].Owner.DisplayName != "other" {
		t.Errorf("owner: %v %v", out, err)
	}
	c.expect("the bucket's owner deletes it", remove(c.s3, "theirs"), "")
	acl("private")
	c.expect("nobody lists now", list(c.nobody), "AccessDenied")

	if _, err := c.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	c.ownership(types.ObjectOwnershipBucketOwnerPreferred)
	acl("public-read-write")
	c.expect("preferred ownership", write(c.other, "pref", func(in *s3.PutObjectInput) { in.ACL = "bucket-owner-full-control" }), "")
	c.expect("makes it the bucket owner's", read(c.other, "pref"), "AccessDenied")
	c.expect("who reads it", read(c.s3, "pref"), "")
	c.want("enforced ownership needs a private bucket", c.do("PUT", "/"+bucket+"?ownershipControls",
		"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"), 400, "InvalidBucketAclWithObjectOwnership")
	acl("private")
	c.ownership(types.ObjectOwnershipBucketOwnerEnforced)
	c.expect("enforced, all is the bucket owner's", read(c.s3, "given"), "")
	_, err = c.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: "public-read"})
	c.expect("no ACLs", err, "AccessControlListNotSupported")
	_, err = c.s3.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("mine"), ACL: "public-read"})
	c.expect("no ACLs of objects", err, "AccessControlListNotSupported")
	is, err := c.s3.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("mine")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.s3.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: aws.String(bucket), Key: aws.String("mine"),
		AccessControlPolicy: &types.AccessControlPolicy{Owner: is.Owner, Grants: is.Grants}})
	c.expect("the ACL that an object has anyway", err, "")
	_, err = c.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: "private"})
	c.expect("the ACL that the bucket has anyway", err, "")
	_, err = c.s3.DeleteBucketOwnershipControls(ctx, &s3.DeleteBucketOwnershipControlsInput{Bucket: aws.String(bucket)})
	c.expect("without ownership controls", err, "")
	_, err = c.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: aws.String(bucket)})
	c.expect("there are none", err, "OwnershipControlsNotFoundError")
}

// The policies of the user guide that let other accounts upload only what the bucket's owner controls allow PutObject, and
// no more.
func TestPoliciesAboutACLs(t *testing.T) {
	c := newCast(t)
	c.ownership(types.ObjectOwnershipObjectWriter)
	acl := func(name types.ObjectCannedACL) func(*s3.PutObjectInput) {
		return func(in *s3.PutObjectInput) { in.ACL = name }
	}
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:PutObject", bucket+"/*", `,"Condition":{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`))
	c.expect("with the list", write(c.other, "k", acl("bucket-owner-full-control")), "")
	c.expect("which gives it to the owner", read(c.s3, "k"), "")
	c.expect("without", write(c.other, "k"), "AccessDenied")
	c.expect("with another", write(c.other, "k", acl("private")), "AccessDenied")
	c.ownership(types.ObjectOwnershipBucketOwnerEnforced)
	c.expect("where ownership is enforced", write(c.other, "k", acl("bucket-owner-full-control")), "")
	c.ownership(types.ObjectOwnershipObjectWriter)
	full := "id=" + ownerID
	c.policy(statement("Allow", `{"AWS":"`+otherNumber+`"}`, "s3:PutObject", bucket+"/*", `,"Condition":{"StringEquals":{"s3:x-amz-grant-full-control":"`+full+`"}}`))
	c.expect("with the grant", write(c.other, "k", func(in *s3.PutObjectInput) { in.GrantFullControl = aws.String(full) }), "")
	c.expect("without it", write(c.other, "k"), "AccessDenied")
	c.policy(statement("Allow", `"*"`, "s3:PutObject", bucket+"/*"), statement("Deny", `{"AWS":"`+otherNumber+`"}`, "s3:PutObjectAcl", bucket+"/*"))
	c.expect("denied", write(c.other, "k", acl("private")), "AccessDenied")
	c.expect("nobody owns what could be shared", write(c.nobody, "k", acl("public-read")), "AccessDenied")
}

func TestBucketsAreMadeWithACLs(t *testing.T) {
	c := newCast(t)
	create := func(name string, acl types.BucketCannedACL, o types.ObjectOwnership) error {
		_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name), ACL: acl, ObjectOwnership: o})
		return err
	}
	c.expect("public and enforced", create("one", "public-read", ""), "InvalidBucketAclWithObjectOwnership")
	c.expect("public", create("two", "public-read", types.ObjectOwnershipObjectWriter), "")
	c.expect("private and enforced", create("three", "private", types.ObjectOwnershipBucketOwnerEnforced), "")
	c.expect("nonsense", create("four", "", "Mine"), "InvalidArgument")
	_, err := c.nobody.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("two")})
	c.expect("nobody lists", err, "")
	out, err := c.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: aws.String("two")})
	if err != nil || out.OwnershipControls.Rules[0].ObjectOwnership != "ObjectWriter" {
		t.Errorf("%v %v", out, err)
	}
	got, err := c.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: aws.String("two")})
	if err != nil || len(got.Grants) != 2 {
		t.Errorf("%v %v", got, err)
	}
}

// In us-east-1, making one's own bucket again sets its list of grants anew.
func TestMakingABucketAgainResetsItsACL(t *testing.T) {
	c := newCast(t)
	create := func(acl types.BucketCannedACL) error {
		_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket), ACL: acl})
		return err
	}
	c.expect("enforced", create("public-read"), "InvalidBucketAclWithObjectOwnership")
	c.ownership(types.ObjectOwnershipObjectWriter)
	_, err := c.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: "public-read"})
	c.expect("shared", err, "")
	c.expect("nobody lists", list(c.nobody), "")
	c.expect("again", create(""), "")
	c.expect("nobody lists", list(c.nobody), "AccessDenied")
	_, err = c.other.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket), ObjectOwnership: "ObjectWriter", ACL: "public-read"})
	c.expect("another account", err, "BucketAlreadyExists")
	c.expect("nobody lists", list(c.nobody), "AccessDenied")
}

// HEAD tells of locks and tags only who may ask for them.
func TestHeadersNeedTheirOwnRight(t *testing.T) {
	c := newCast(t)
	b := aws.String("locked")
	if _, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("k"), Body: strings.NewReader("x"), ChecksumAlgorithm: "CRC32", ObjectLockLegalHoldStatus: "ON",
		ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: aws.Time(time.Now().Add(time.Hour)), Tagging: aws.String("a=b")}); err != nil {
		t.Fatal(err)
	}
	for actions, want := range map[string]string{`["s3:GetObject"]`: "||false", `["s3:GetObject","s3:GetObjectRetention"]`: "GOVERNANCE||false",
		`["s3:GetObject","s3:GetObjectLegalHold","s3:GetObjectTagging"]`: "|ON|true", `["s3:*"]`: "GOVERNANCE|ON|true"} {
		policy := `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"` + otherNumber + `"},"Action":` + actions + `,"Resource":"arn:aws:s3:::locked/*"}]}`
		if _, err := c.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: b, Policy: aws.String(policy)}); err != nil {
			t.Fatal(err)
		}
		out, err := c.other.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("k")})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s|%s|%t", out.ObjectLockMode, out.ObjectLockLegalHoldStatus, aws.ToInt32(out.TagCount) == 1); got != want {
			t.Errorf("%s: %s, want %s", actions, got, want)
		}
	}
}

func TestRequesterPays(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	c.policy(statement("Allow", `"*"`, "s3:*", bucket), statement("Allow", `"*"`, "s3:*", bucket+"/*"))
	c.expect("before", read(c.nobody, "k"), "")
	_, err := c.s3.PutBucketRequestPayment(ctx, &s3.PutBucketRequestPaymentInput{Bucket: aws.String(bucket),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: "Requester"}})
	c.expect("put", err, "")
	c.expect("the owner", read(c.s3, "k"), "")
	c.expect("its user", read(c.clerk, "k"), "")
	c.expect("nobody", read(c.nobody, "k"), "AccessDenied")
	c.expect("another account", read(c.other, "k"), "AccessDenied")
	c.expect("its list", list(c.other), "AccessDenied")
	out, err := c.other.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), RequestPayer: "requester"})
	if err != nil || out.RequestCharged != "requester" {
		t.Errorf("who is willing to pay: %+v %v", out, err)
	}
	if _, err := c.other.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("others")}); err != nil {
		t.Fatal(err)
	}
	in := &s3.CopyObjectInput{Bucket: aws.String("others"), Key: aws.String("k"), CopySource: aws.String(bucket + "/k")}
	_, err = c.other.CopyObject(ctx, in)
	c.expect("a copy of it", err, "AccessDenied")
	in.RequestPayer = "requester"
	_, err = c.other.CopyObject(ctx, in)
	c.expect("who is willing to pay for it", err, "")
}

func TestUploadsBelongToWhoBeganThem(t *testing.T) {
	c := newCast(t)
	c.ownership(types.ObjectOwnershipObjectWriter)
	if _, err := c.s3.PutBucketAcl(ctx, &s3.PutBucketAclInput{Bucket: aws.String(bucket), ACL: "public-read-write"}); err != nil {
		t.Fatal(err)
	}
	up, err := c.other.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m")})
	if err != nil {
		t.Fatal(err)
	}
	parts := func(client *s3.Client) error {
		_, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId})
		return err
	}
	c.expect("who began it", parts(c.other), "")
	c.expect("the bucket's owner", parts(c.s3), "")
	c.expect("nobody", parts(c.nobody), "AccessDenied")
	_, err = c.nobody.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId})
	c.expect("nobody aborts", err, "AccessDenied")
	_, err = c.other.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: up.UploadId})
	c.expect("who began it aborts", err, "")
}

// A deleted bucket's policy must not serve its successor of the same name.
func TestAccessGoesWithTheBucket(t *testing.T) {
	c := newCast(t)
	c.policy(statement("Allow", `"*"`, "s3:*", bucket+"/*"))
	c.expect("shared", write(c.nobody, "k"), "")
	c.expect("cleared", remove(c.s3, "k"), "")
	if _, err := c.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.other.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	c.expect("the new one is its owner's", write(c.other, "k"), "")
	c.expect("the former owner is a stranger", read(c.s3, "k"), "AccessDenied")
	c.expect("nobody", read(c.nobody, "k"), "AccessDenied")
}

func TestEveryOperationIsRefusedToStrangers(t *testing.T) {
	c := newCast(t)
	c.put("k", "body")
	for _, o := range s3api.Operations() {
		if o.Scope == "service" || o.Name == "CreateBucket" || o.Name == "PreflightRequest" || o.Name == "PostObject" || o.Name == "DeleteObjects" {
			continue
		}
		target := map[string]string{"bucket": "/" + bucket, "object": path("k")}[o.Scope]
		if len(o.Query) > 0 {
			target += "?" + strings.Join(o.Query, "&")
		}
		req := c.request(o.Method, target, "")
		if o.Header != "" {
			req.Header.Set(o.Header, bucket+"/k")
		}
		a := c.send(req)
		if a.status != http.StatusForbidden && a.status != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", o.Name, a.status, a.body)
		}
	}
}

// CreateBucket of a bucket that is one's own sets its list of grants only for whoever may set that.
func TestCreatingAgainFollowsThePolicy(t *testing.T) {
	c := newCast(t)
	c.ownership(types.ObjectOwnershipObjectWriter)
	create := func(client *s3.Client, acl types.BucketCannedACL) error {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket), ACL: acl, ObjectOwnership: types.ObjectOwnershipObjectWriter})
		return err
	}
	c.policy(statement("Deny", `{"AWS":"arn:aws:iam::`+ownerNumber+`:user/clerk"}`, "s3:*", bucket))
	c.expect("public", create(c.clerk, types.BucketCannedACLPublicReadWrite), "AccessDenied")
	c.expect("nobody lists", list(c.nobody), "AccessDenied")
	c.expect("nobody writes", write(c.nobody, "k"), "AccessDenied")
	c.expect("who is not denied", create(c.s3, types.BucketCannedACLPublicRead), "")
	c.expect("private", create(c.clerk, types.BucketCannedACLPrivate), "AccessDenied")
	c.expect("no list", create(c.clerk, ""), "")
	c.expect("the list stays", list(c.nobody), "")
	c.expect("no list, of who is not denied", create(c.s3, ""), "")
	c.block(types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)})
	c.expect("public, where that is blocked", create(c.s3, types.BucketCannedACLPublicRead), "AccessDenied")
	c.expect("nobody lists now", list(c.nobody), "AccessDenied")
}
