"""boto3 against pail serve: "URL BIGFILE" encrypts with keys of a customer and of KMS, in the bucket "bucket"."""

import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MULTIPART = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
    else:
        raise AssertionError("no " + code)


def customer_keys(s3, big, content):
    key, other = os.urandom(32), os.urandom(32)
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    s3.put_object(Bucket="bucket", Key="b/small", Body=b"nobody may find this on the disk", **own)
    got = s3.get_object(Bucket="bucket", Key="b/small", Range="bytes=7-9", **own)
    assert got["Body"].read() == b"may" and got["SSECustomerAlgorithm"] == "AES256", got
    refused("400", s3.head_object, Bucket="bucket", Key="b/small")
    refused("InvalidRequest", s3.get_object, Bucket="bucket", Key="b/small")
    refused("AccessDenied", s3.get_object, Bucket="bucket", Key="b/small", SSECustomerAlgorithm="AES256", SSECustomerKey=other)

    s3.upload_file(big, "bucket", "b/big", ExtraArgs=own, Config=MULTIPART)
    source = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": key}
    s3.copy({"Bucket": "bucket", "Key": "b/big"}, "bucket", "b/other", SourceClient=s3,
            ExtraArgs={"SSECustomerAlgorithm": "AES256", "SSECustomerKey": other, **source}, Config=MULTIPART)
    for name, k in (("b/big", key), ("b/other", other)):
        got = s3.get_object(Bucket="bucket", Key=name, SSECustomerAlgorithm="AES256", SSECustomerKey=k)
        assert got["Body"].read() == content, name
    s3.copy_object(Bucket="bucket", Key="b/ours", CopySource="bucket/b/big", ServerSideEncryption="AES256", **source)
    got = s3.get_object(Bucket="bucket", Key="b/ours")
    assert got["ServerSideEncryption"] == "AES256" and got["Body"].read() == content


def kms(s3, big, content):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "team/key"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket="bucket", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.get_bucket_encryption(Bucket="bucket")["ServerSideEncryptionConfiguration"]["Rules"] == [rule]
    s3.upload_file(big, "bucket", "b/kms", Config=MULTIPART)
    got = s3.get_object(Bucket="bucket", Key="b/kms")
    assert got["ServerSideEncryption"] == "aws:kms" and got["SSEKMSKeyId"].endswith(":key/team/key") and got["BucketKeyEnabled"], got
    assert got["Body"].read() == content
    refused("KMS.NotFoundException", s3.put_object, Bucket="bucket", Key="b/none", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="none")
    s3.delete_bucket_encryption(Bucket="bucket")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "b/kms"})
    assert "Signature" in url


def main(url, big):
    s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    with open(big, "rb") as f:
        content = f.read()
    customer_keys(s3, big, content)
    kms(s3, big, content)


main(*sys.argv[1:])
