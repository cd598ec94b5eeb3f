# The sandbox's stand-in for cloudify-community/tf-vpc: a VPC with two subnets, the way out, and a group that lets SSH in.
variable "aws_region" { type = string }
variable "name" { type = string }
variable "cidr_block" {
  type    = string
  default = "10.0.0.0/16"
}
variable "vpc_tags" {
  type    = map(string)
  default = {}
}
variable "availability_zone_1" { type = string }
variable "availability_zone_2" { type = string }
variable "subnet_1_cidr" { type = string }
variable "subnet_2_cidr" { type = string }
variable "subnet_1_tags" {
  type    = map(string)
  default = {}
}
variable "subnet_2_tags" {
  type    = map(string)
  default = {}
}

provider "aws" {
  region = var.aws_region
}

resource "aws_vpc" "vpc" {
  cidr_block = var.cidr_block
  tags       = var.vpc_tags
}

resource "aws_internet_gateway" "internet_gateway" {
  vpc_id = aws_vpc.vpc.id
  tags   = { Name = "${var.name}-internet-gateway" }
}

resource "aws_subnet" "subnet_1" {
  vpc_id            = aws_vpc.vpc.id
  cidr_block        = var.subnet_1_cidr
  availability_zone = var.availability_zone_1
  tags              = var.subnet_1_tags
}

resource "aws_subnet" "subnet_2" {
  vpc_id            = aws_vpc.vpc.id
  cidr_block        = var.subnet_2_cidr
  availability_zone = var.availability_zone_2
  tags              = var.subnet_2_tags
}

resource "aws_security_group" "agents_security_group" {
  vpc_id = aws_vpc.vpc.id
  name   = "${var.name}-agents"
}

resource "aws_security_group_rule" "agents_ssh" {
  type              = "ingress"
  security_group_id = aws_security_group.agents_security_group.id
  from_port         = 22
  to_port           = 22
  protocol          = "tcp"
  cidr_blocks       = ["0.0.0.0/0"]
}
