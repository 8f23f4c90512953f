package s3api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pail/server/servertest"
)

// TestKeptConfigurations sets what is kept and changes nothing.
func TestKeptConfigurations(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, c := range []struct {
		sub, doc string
		status   int
		code     string
		kept     string // part of what GET answers then
	}{
		{"accelerate", "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>", 200, "", "<Status>Suspended</Status>"},
		{"accelerate", "<AccelerateConfiguration><Status>Off</Status></AccelerateConfiguration>", 400, "MalformedXML", "<Status>Suspended</Status>"},
		{"requestPayment", "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>", 200, "", "<Payer>Requester</Payer>"},
		{"requestPayment", "<RequestPaymentConfiguration><Payer>Me</Payer></RequestPaymentConfiguration>", 400, "MalformedXML", "<Payer>Requester</Payer>"},
		{"logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>bucket</TargetBucket><TargetPrefix>l/&amp;</TargetPrefix></LoggingEnabled></BucketLoggingStatus>", 200, "", "<TargetPrefix>l/&amp;</TargetPrefix>"},
		{"logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>none</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>", 400, "InvalidTargetBucketForLogging", "<TargetBucket>bucket<"},
		{"logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>bucket</TargetBucket><TargetPrefix/><TargetObjectKeyFormat><SimplePrefix/><PartitionedPrefix/></TargetObjectKeyFormat></LoggingEnabled></BucketLoggingStatus>", 400, "MalformedXML", "<TargetBucket>bucket<"},
		{"logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>bucket</TargetBucket><TargetPrefix/><TargetGrants><Grant><Grantee><EmailAddress>x@y</EmailAddress></Grantee><Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>", 400, "UnresolvableGrantByEmailAddress", "<TargetBucket>bucket<"},
		{"logging", "<BucketLoggingStatus/>", 200, "", `<BucketLoggingStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></BucketLoggingStatus>`},
		{"notification", "<NotificationConfiguration/>", 200, "", "<NotificationConfiguration"},
		{"notification", "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:::q</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>", 400, "InvalidArgument", "<NotificationConfiguration"},
	} {
		s.want(c.doc, s.do("PUT", "/bucket?"+c.sub, c.doc), c.status, c.code)
		if a := s.do("GET", "/bucket?"+c.sub, ""); a.status != 200 || !strings.Contains(a.body, c.kept) {
			t.Errorf("after %s: %d %s", c.doc, a.status, a.body)
		}
		s.want("no bucket", s.do("PUT", "/nobucket?"+c.sub, c.doc), 404, "NoSuchBucket")
	}
}

// TestNoBucketHasABAC: the one state there is can be asked for and set.
func TestNoBucketHasABAC(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for _, c := range []struct {
		doc    string
		status int
		code   string
	}{
		{"<AbacStatus><Status>Disabled</Status></AbacStatus>", 200, ""},
		{"<AbacStatus><Status>Enabled</Status></AbacStatus>", 501, "NotImplemented"},
		{"<AbacStatus><Status>On</Status></AbacStatus>", 400, "MalformedXML"},
	} {
		s.want(c.doc, s.do("PUT", "/bucket?abac", c.doc), c.status, c.code)
	}
	out, err := s.s3.GetBucketAbac(ctx, &s3.GetBucketAbacInput{Bucket: aws.String(bucket)})
	if err != nil || out.AbacStatus.Status != types.BucketAbacStatusDisabled {
		t.Errorf("%+v %v", out, err)
	}
}

// TestConfigurationsOfOthers: logs go to a bucket of the same owner, and what no bucket can have is deleted by anybody who may.
func TestConfigurationsOfOthers(t *testing.T) {
	c := newCast(t)
	if _, err := c.other.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("others")}); err != nil {
		t.Fatal(err)
	}
	c.want("another's target", c.do("PUT", "/bucket?logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>others</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>"),
		400, "InvalidTargetBucketForLogging")
	c.want("no replication", c.do("GET", "/bucket?replication", ""), 404, "ReplicationConfigurationNotFoundError")
	c.want("deleted all the same", c.do("DELETE", "/bucket?replication", ""), 204, "")
	c.want("not another's", c.do("DELETE", "/others?replication", ""), 403, "AccessDenied")
}

// TestKeptConfigurationsWithIDs does so with those that a bucket has several of.
func TestKeptConfigurationsWithIDs(t *testing.T) {
	s := newScene(t, servertest.Options{})
	for sub, doc := range map[string]string{
		"metrics":             "<MetricsConfiguration><Id>ID</Id><Filter><Prefix>p</Prefix></Filter></MetricsConfiguration>",
		"analytics":           "<AnalyticsConfiguration><Id>ID</Id><StorageClassAnalysis></StorageClassAnalysis></AnalyticsConfiguration>",
		"intelligent-tiering": "<IntelligentTieringConfiguration><Id>ID</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering></IntelligentTieringConfiguration>",
		"inventory":           "<InventoryConfiguration><Destination><S3BucketDestination><Bucket>arn:aws:s3:::b</Bucket><Format>CSV</Format></S3BucketDestination></Destination><IsEnabled>true</IsEnabled><Id>ID</Id><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule></InventoryConfiguration>",
	} {
		target := "/bucket?" + sub
		for _, id := range []string{"b", "a"} {
			s.want(sub, s.do("PUT", target+"&id="+id, strings.Replace(doc, "ID", id, 1)), 200, "")
		}
		s.want("another id", s.do("PUT", target+"&id=c", doc), 400, "InvalidArgument")
		s.want("malformed", s.do("PUT", target+"&id=c", "<Other/>"), 400, "MalformedXML")
		a := s.do("GET", target+"&id=a", "")
		if want := strings.Replace(doc[strings.Index(doc, ">"):], "ID", "a", 1); !strings.HasSuffix(a.body, want) {
			t.Errorf("%s, want %s", a.body, want)
		}
		a = s.do("GET", target, "")
		if first, second := strings.Index(a.body, "<Id>a</Id>"), strings.Index(a.body, "<Id>b</Id>"); first < 0 || second < first || !strings.Contains(a.body, "<IsTruncated>false<") {
			t.Errorf("%s", a.body)
		}
		s.want("delete", s.do("DELETE", target+"&id=a", ""), 204, "")
		s.want("deleted", s.do("GET", target+"&id=a", ""), 404, "NoSuchConfiguration")
		s.want("delete again", s.do("DELETE", target+"&id=a", ""), 404, "NoSuchConfiguration")
	}
	for i := range 120 {
		_, err := s.s3.PutBucketMetricsConfiguration(ctx, &s3.PutBucketMetricsConfigurationInput{Bucket: aws.String(bucket), Id: aws.String(fmt.Sprint(i)),
			MetricsConfiguration: &types.MetricsConfiguration{Id: aws.String(fmt.Sprint(i))}})
		if err != nil {
			t.Fatal(err)
		}
	}
	n, in := 0, &s3.ListBucketMetricsConfigurationsInput{Bucket: aws.String(bucket)}
	for {
		out, err := s.s3.ListBucketMetricsConfigurations(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.MetricsConfigurationList)
		if !*out.IsTruncated {
			break
		}
		in.ContinuationToken = out.NextContinuationToken
	}
	if n != 121 {
		t.Errorf("%d configurations", n)
	}
}
