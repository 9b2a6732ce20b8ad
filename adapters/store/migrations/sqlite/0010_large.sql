-- Bodies that lie in files beside the database are few: whether each is there is looked at without walking all others.

CREATE INDEX bodies_large ON bodies (sha256, size) WHERE content IS NULL;
