"""The version of the running code."""

VERSION = "0.1.0"
