"""What has been revoked: CRLs from a folder; OCSP has its room beside it."""
