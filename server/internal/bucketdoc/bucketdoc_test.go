package bucketdoc

import (
	"encoding/xml"
	"testing"
)

var samples = []struct {
	shape Shape
	doc   string
	ok    bool
}{
	{Accelerate(), "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>", true},
	{Accelerate(), "<AccelerateConfiguration><Status>On</Status></AccelerateConfiguration>", false},
	{Accelerate(), "<AccelerateConfiguration></AccelerateConfiguration>", false},
	{Accelerate(), "<AccelerateConfiguration><Status>Enabled</Status><Status>Enabled</Status></AccelerateConfiguration>", false},
	{Accelerate(), "<AccelerateConfiguration><Status>Enabled</Status><Other/></AccelerateConfiguration>", false},
	{Accelerate(), "<AccelerateConfiguration><Status><Enabled/></Status></AccelerateConfiguration>", false},
	{Accelerate(), "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>", false},
	{RequestPayment(), "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>", true},
	{RequestPayment(), "<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>", false},
	{Logging(), "<BucketLoggingStatus/>", true},
	{Logging(), "<BucketLoggingStatus>text</BucketLoggingStatus>", false},
	{Logging(), `<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix/><TargetGrants><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>x</ID></Grantee><Permission>READ</Permission></Grant></TargetGrants></LoggingEnabled></BucketLoggingStatus>`, true},
	{Notification(), "<NotificationConfiguration><QueueConfiguration><Queue>q</Queue></QueueConfiguration></NotificationConfiguration>", false},
	{Metrics(), "<MetricsConfiguration><Id>a</Id><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter></MetricsConfiguration>", true},
	{Metrics(), "<MetricsConfiguration><Filter/></MetricsConfiguration>", false},
	{Analytics(), "<AnalyticsConfiguration><Id>a</Id><StorageClassAnalysis/></AnalyticsConfiguration>", true},
	{IntelligentTiering(), "<IntelligentTieringConfiguration><Id>a</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>x</Days></Tiering></IntelligentTieringConfiguration>", false},
	{Inventory(), "<InventoryConfiguration><Destination><S3BucketDestination><Bucket>arn:aws:s3:::b</Bucket><Format>CSV</Format></S3BucketDestination></Destination><IsEnabled>true</IsEnabled><Id>a</Id><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule></InventoryConfiguration>", true},
}

func TestShapes(t *testing.T) {
	for _, s := range samples {
		var n Node
		if err := xml.Unmarshal([]byte(s.doc), &n); err != nil {
			t.Fatal(err)
		}
		if err := s.shape.Check(&n); (err == nil) != s.ok {
			t.Errorf("%s: %v", s.doc, err)
		}
	}
}

// What Content writes is read as the same again.
func FuzzContent(f *testing.F) {
	for _, s := range samples {
		f.Add(s.doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		var n, again Node
		if xml.Unmarshal([]byte(doc), &n) != nil {
			return
		}
		for _, s := range samples {
			if s.shape.Check(&n) != nil {
				continue
			}
			written := append(append([]byte("<"+n.XMLName.Local+">"), n.Content()...), []byte("</"+n.XMLName.Local+">")...)
			if err := xml.Unmarshal(written, &again); err != nil || s.shape.Check(&again) != nil {
				t.Errorf("%q is written as %q: %v", doc, written, err)
			}
			return
		}
	})
}
