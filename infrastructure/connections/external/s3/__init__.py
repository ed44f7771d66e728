"""A bucket of an object store that speaks S3: AWS, SeaweedFS, MinIO, Ceph and others."""

from infrastructure.connections.external.s3.manager import Deleted, S3ConnectionManager
from infrastructure.connections.external.s3.objects import ObjectInfo
from infrastructure.connections.external.s3.settings import S3Settings
from infrastructure.connections.external.s3.uploading import Upload

__all__ = ["Deleted", "ObjectInfo", "S3ConnectionManager", "S3Settings", "Upload"]
