# The sandbox's stand-in for cloudify-community/tf-bucket: one private bucket.
variable "bucket_region" { type = string }
variable "bucket_name" { type = string }

provider "aws" {
  region = var.bucket_region
}

resource "aws_s3_bucket" "bucket" {
  bucket = var.bucket_name
}
