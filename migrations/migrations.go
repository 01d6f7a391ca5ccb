// Package migrations holds the schema of both databases: one folder each, with the same numbers and names. Merged files
// never change; a later one adds.
package migrations

import "embed"

// Files holds the folders sqlite and postgres, in goose's format.
//
//go:embed sqlite/*.sql postgres/*.sql
var Files embed.FS
