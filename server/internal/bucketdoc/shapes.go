package bucketdoc

func tag(name string) Shape { return any0(name, one("Key").is(nonEmpty), one("Value").is(text)) }

// Accelerate is the body of PutBucketAccelerateConfiguration.
func Accelerate() Shape {
	return one("AccelerateConfiguration", one("Status").is(of("Enabled", "Suspended")))
}

// Abac is the body of PutBucketAbac.
func Abac() Shape {
	return one("AbacStatus", one("Status").is(of("Enabled", "Disabled")))
}

// Encryption is the body of PutBucketEncryption.
func Encryption() Shape {
	return one("ServerSideEncryptionConfiguration", one("Rule",
		opt("ApplyServerSideEncryptionByDefault", one("SSEAlgorithm").is(of("AES256", "aws:kms", "aws:kms:dsse")), opt("KMSMasterKeyID").is(text)),
		opt("BucketKeyEnabled").is(of("true", "false")), opt("BlockedEncryptionTypes", any0("EncryptionType").is(of("NONE", "SSE-C")))))
}

// RequestPayment is the body of PutBucketRequestPayment.
func RequestPayment() Shape {
	return one("RequestPaymentConfiguration", one("Payer").is(of("Requester", "BucketOwner")))
}

// Logging is the body of PutBucketLogging.
func Logging() Shape {
	grantee := one("Grantee", opt("DisplayName").is(text), opt("EmailAddress").is(text), opt("ID").is(text), opt("URI").is(text), opt("Type").is(text))
	return one("BucketLoggingStatus", opt("LoggingEnabled", one("TargetBucket").is(nonEmpty), one("TargetPrefix").is(text),
		opt("TargetGrants", any0("Grant", grantee, one("Permission").is(of("FULL_CONTROL", "READ", "WRITE")))),
		opt("TargetObjectKeyFormat", opt("SimplePrefix"), opt("PartitionedPrefix", opt("PartitionDateSource").is(of("EventTime", "DeliveryTime"))))))
}

// Notification is the body of PutBucketNotificationConfiguration.
func Notification() Shape {
	filter := opt("Filter", opt("S3Key", any0("FilterRule", one("Name").is(text), one("Value").is(text))))
	target := func(name, arn string) Shape {
		return any0(name, opt("Id").is(text), one(arn).is(nonEmpty), any1("Event").is(nonEmpty), filter)
	}
	return one("NotificationConfiguration", target("TopicConfiguration", "Topic"), target("QueueConfiguration", "Queue"),
		target("CloudFunctionConfiguration", "CloudFunction"), opt("EventBridgeConfiguration"))
}

func id() Shape { return one("Id").is(func(s string) bool { return s != "" && len(s) <= 64 }) }

// Metrics is the body of PutBucketMetricsConfiguration.
func Metrics() Shape {
	return one("MetricsConfiguration", id(), opt("Filter", opt("Prefix").is(text), tag("Tag"), opt("AccessPointArn").is(text),
		opt("And", opt("Prefix").is(text), tag("Tag"), opt("AccessPointArn").is(text))))
}

// Analytics is the body of PutBucketAnalyticsConfiguration.
func Analytics() Shape {
	return one("AnalyticsConfiguration", id(), opt("Filter", opt("Prefix").is(text), tag("Tag"), opt("And", opt("Prefix").is(text), tag("Tag"))),
		one("StorageClassAnalysis", opt("DataExport", one("OutputSchemaVersion").is(of("V_1")),
			one("Destination", one("S3BucketDestination", one("Format").is(of("CSV")), opt("BucketAccountId").is(text), one("Bucket").is(nonEmpty), opt("Prefix").is(text))))))
}

// IntelligentTiering is the body of PutBucketIntelligentTieringConfiguration.
func IntelligentTiering() Shape {
	return one("IntelligentTieringConfiguration", id(), opt("Filter", opt("Prefix").is(text), tag("Tag"), opt("And", opt("Prefix").is(text), tag("Tag"))),
		one("Status").is(of("Enabled", "Disabled")),
		any1("Tiering", one("AccessTier").is(of("ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")), one("Days").is(number)))
}

// Inventory is the body of PutBucketInventoryConfiguration.
func Inventory() Shape {
	return one("InventoryConfiguration", one("Destination", one("S3BucketDestination", opt("AccountId").is(text), one("Bucket").is(nonEmpty),
		opt("Encryption", opt("SSE-S3"), opt("SSE-KMS", one("KeyId").is(nonEmpty))), one("Format").is(of("CSV", "ORC", "Parquet")), opt("Prefix").is(text))),
		opt("Filter", one("Prefix").is(text)), id(), one("IncludedObjectVersions").is(of("All", "Current")),
		one("IsEnabled").is(of("true", "false")), opt("OptionalFields", any0("Field").is(nonEmpty)),
		one("Schedule", one("Frequency").is(of("Daily", "Weekly"))))
}
