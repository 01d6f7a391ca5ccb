package revoke

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// ID names a row of ours: a UUID of version 7 (RFC 9562 section 5.7), so that keys made near each other in time lie near
// each other in an index. The zero ID names nothing.
type ID [16]byte

// NewID returns an ID that sorts by at to the microsecond; 62 bits are random.
func NewID(at Instant) ID {
	var id ID
	_, _ = rand.Read(id[8:])                                                // crypto/rand.Read never fails (Go 1.24)
	binary.BigEndian.PutUint64(id[:8], uint64(at/1000)<<16|uint64(at%1000)) //nolint:gosec // instants are after 1970
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// NameID returns the ID that belongs to the parts: the same ones always give the same ID (version 8, RFC 9562 section 5.8).
// A device nobody has registered yet is remembered under it.
func NameID(parts ...string) ID {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	var id ID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID reads the form that String writes, in either letter case.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, fmt.Errorf("%q is not an id: %w", text, ErrNotFound)
	}
	at := 0
	for _, part := range [...]string{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		n, err := hex.Decode(id[at:], []byte(part))
		if err != nil {
			return ID{}, fmt.Errorf("%q is not an id: %w", text, ErrNotFound)
		}
		at += n
	}
	return id, nil
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the 36 characters of RFC 9562, or "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	var b [36]byte
	hex.Encode(b[:], id[:4])
	hex.Encode(b[9:], id[4:6])
	hex.Encode(b[14:], id[6:8])
	hex.Encode(b[19:], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// Compare orders IDs by their bytes, which is by time.
func (id ID) Compare(other ID) int {
	for i := range id {
		if id[i] != other[i] {
			return int(id[i]) - int(other[i])
		}
	}
	return 0
}

// MarshalText writes what String returns.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what String returns; empty is the zero ID.
func (id *ID) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	*id, err = ParseID(string(text))
	return err
}

const zeroID = "00000000-0000-0000-0000-000000000000"

// Value is the ID as a database column holds it; columns are never NULL, so the zero ID is written out.
func (id ID) Value() (driver.Value, error) {
	if id.IsZero() {
		return zeroID, nil
	}
	return id.String(), nil
}

// Scan reads what Value wrote, from either database.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = ID{}
		return nil
	case string:
		return id.scanText(v)
	case []byte:
		return id.scanText(string(v))
	default:
		return fmt.Errorf("scan id from %T", src)
	}
}

func (id *ID) scanText(text string) (err error) {
	if text == "" || text == zeroID {
		*id = ID{}
		return nil
	}
	*id, err = ParseID(text)
	return err
}
