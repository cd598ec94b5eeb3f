"""A plugin for buckets and objects on a MinIO server, or on another server that speaks S3 at an address of its own."""
