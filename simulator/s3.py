"""S3, as far as a bucket of access logs is concerned: moto has its buckets and their policies."""

from simulator.refusal import Refused
from simulator.service import Json, Service


class S3(Service):
    name = "s3"

    def get_bucket_location(self, parameters: Json) -> Json:
        """Of us-east-1 it is empty (GetBucketLocation, S3 API Reference), where moto has None."""
        found = self.moto("GetBucketLocation", parameters)
        return found if found["LocationConstraint"] else {}

    def get_bucket_encryption(self, parameters: Json) -> Json:
        """Every bucket has one, with keys of S3 unless its owner chose another ("Setting default
        server-side encryption behavior for Amazon S3 buckets", S3 User Guide)."""
        try:
            return self.moto("GetBucketEncryption", parameters)
        except Refused as refused:
            if refused.code != "ServerSideEncryptionConfigurationNotFoundError":
                raise
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}
