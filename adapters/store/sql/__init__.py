"""Named statements: `-- name: ...` begins each."""
