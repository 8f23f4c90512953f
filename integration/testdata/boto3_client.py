"""boto3 against pail serve: "fill URL BIGFILE" makes a bucket and prints a presigned URL, "clear URL" empties it."""

import hashlib
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError


def client(url):
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1")


def fill(url, big):
    s3 = client(url)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="dir/small", Body=b"a small object\n", Metadata={"colour": "blue"}, ContentType="text/plain")
    got = s3.get_object(Bucket="bucket", Key="dir/small", Range="bytes=2-6")
    assert got["Body"].read() == b"small" and got["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket="bucket", Key="dir/small")
    assert head["Metadata"] == {"colour": "blue"} and head["ContentType"] == "text/plain", head

    s3.upload_file(big, "bucket", "big", Config=TransferConfig(multipart_chunksize=8 << 20))
    s3.copy({"Bucket": "bucket", "Key": "big"}, "bucket", "copy", Config=TransferConfig(multipart_threshold=32 << 20, multipart_chunksize=16 << 20))
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket="bucket", Key="copy")["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    with open(big, "rb") as f:
        assert digest.hexdigest() == hashlib.sha256(f.read()).hexdigest()

    for n in range(25):
        s3.put_object(Bucket="bucket", Key="many/%03d" % n, Body=b"x" * n)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="many/", PaginationConfig={"PageSize": 10})
    keys = [o["Key"] for p in pages for o in p["Contents"]]
    assert keys == ["many/%03d" % n for n in range(25)], keys
    page = s3.list_objects(Bucket="bucket", Delimiter="/")
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["dir/", "many/"], page

    for call, code in (
        (lambda: s3.get_object(Bucket="bucket", Key="absent"), "NoSuchKey"),
        (lambda: s3.list_objects_v2(Bucket="no-such-bucket"), "NoSuchBucket"),
        (lambda: s3.delete_bucket(Bucket="bucket"), "BucketNotEmpty"),
    ):
        try:
            call()
        except ClientError as e:
            assert e.response["Error"]["Code"] == code, e
        else:
            raise AssertionError("no " + code)
    print(s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "dir/small"}, ExpiresIn=600))


def clear(url):
    s3 = client(url)
    keys = [{"Key": o["Key"]} for o in s3.list_objects_v2(Bucket="bucket")["Contents"]]
    answer = s3.delete_objects(Bucket="bucket", Delete={"Objects": keys})
    assert len(answer["Deleted"]) == len(keys) and "Errors" not in answer, answer
    s3.delete_bucket(Bucket="bucket")
    assert s3.list_buckets()["Buckets"] == []


if __name__ == "__main__":
    {"fill": fill, "clear": clear}[sys.argv[1]](*sys.argv[2:])
