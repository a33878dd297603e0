"""Every form of S3 host name leads to its bucket, and no other name does."""

import pytest

from cdn.cloudfront import origins


class TestBucketOf:
    @pytest.mark.parametrize(
        "domain_name",
        [
            "site.s3.amazonaws.com",
            "site.s3.eu-central-1.amazonaws.com",
            "site.s3-eu-central-1.amazonaws.com",
            "site.s3.dualstack.eu-central-1.amazonaws.com",
            "site.s3-fips.us-gov-west-1.amazonaws.com",
            "site.s3-website-us-east-1.amazonaws.com",
            "site.s3-website.eu-central-1.amazonaws.com",
            "site.s3.cn-north-1.amazonaws.com.cn",
            "SITE.S3.amazonaws.com",
        ],
    )
    def test_forms(self, domain_name):
        """
        Every form of S3 host name leads to the bucket.
        """
        assert "site" == origins.bucket_of(domain_name)

    @pytest.mark.parametrize(
        "domain_name", ["api.example.com", "s3.amazonaws.com", "site.s3.example.com"]
    )
    def test_others(self, domain_name):
        """
        Other hosts stand for no bucket.
        """
        assert origins.bucket_of(domain_name) is None

    @pytest.mark.parametrize("bucket", ["a.b-c.d", "s3.logs", "my.s3.site"])
    def test_dots(self, bucket):
        """
        A bucket's name may have dots, and even `s3` in it.
        """
        assert bucket == origins.bucket_of(f"{bucket}.s3.us-west-2.amazonaws.com")
