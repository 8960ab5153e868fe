// Checks exported logs and receipts with Go's own transparency-log packages: nothing of it is shared with the program
// under test.
//
//	verify_tiles < jobs
//
// A job is a line of fields parted by tabs; it is answered by a line that begins with "ok" or "bad".
//
//	tiles    DIR NOTE VKEY [COSIGNER VKEY]..        DIR/NOTE is the checkpoint of all that lies in DIR/tile
//	receipt  PROOF ENTRY VKEY [COSIGNER VKEY]..     PROOF is a tlog-proof of the entry in the file ENTRY
//
// ok is followed by the size, the root, and how many of these keys have signed.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// cosigner verifies C2SP tlog-cosignature version 1, which the note package does not know.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.id }
func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func verifierOf(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) == 3 {
		raw, err := base64.StdEncoding.DecodeString(parts[2])
		if err == nil && len(raw) == 1+ed25519.PublicKeySize && raw[0] == 4 {
			id := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
			if fmt.Sprintf("%x", id[:4]) != parts[1] {
				return nil, errors.New("not the ID of this key")
			}
			return &cosigner{parts[0], binary.BigEndian.Uint32(id[:4]), ed25519.PublicKey(raw[1:])}, nil
		}
	}
	return note.NewVerifier(vkey)
}

func openCheckpoint(raw []byte, vkeys []string) (tlog.Tree, int, error) {
	var keys []note.Verifier
	for _, vkey := range vkeys {
		key, err := verifierOf(vkey)
		if err != nil {
			return tlog.Tree{}, 0, err
		}
		keys = append(keys, key)
	}
	opened, err := note.Open(raw, note.VerifierList(keys...))
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	signed := false
	for _, sig := range opened.Sigs {
		signed = signed || sig.Name == keys[0].Name() && sig.Hash == keys[0].KeyHash()
	}
	lines := strings.Split(opened.Text, "\n")
	if !signed || len(lines) != 4 || lines[3] != "" || lines[0] != keys[0].Name() {
		return tlog.Tree{}, 0, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, 0, errors.New("not a size: " + lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, len(opened.Sigs), err
}

// path is that of C2SP tlog-tiles, which has no height, and another name for entries.
func path(tile tlog.Tile) string {
	rest := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(rest, "data/", "entries/", 1)
}

func tileAt(level int, number, count int64) tlog.Tile {
	width := count - number<<height
	if width > 1<<height {
		width = 1 << height
	}
	return tlog.Tile{H: height, L: level, N: number, W: int(width)}
}

func entriesOf(raw []byte, count int) ([][]byte, error) {
	var entries [][]byte
	for len(raw) > 0 {
		if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
			return nil, errors.New("a bundle is cut off")
		}
		length := int(binary.BigEndian.Uint16(raw))
		entries = append(entries, raw[2:2+length])
		raw = raw[2+length:]
	}
	if len(entries) != count {
		return nil, fmt.Errorf("a bundle of %d entries, not %d", len(entries), count)
	}
	return entries, nil
}

// hashesOf makes every hash again out of the entries, and lists the bundles they were found in.
func hashesOf(dir string, size int64, seen map[string]bool) (tlog.HashReader, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, errors.New("no such hash")
			}
			found = append(found, stored[index])
		}
		return found, nil
	})
	for number := int64(0); number<<height < size; number++ {
		bundle := tileAt(-1, number, size)
		seen[path(bundle)] = true
		raw, err := os.ReadFile(filepath.Join(dir, path(bundle)))
		if err != nil {
			return nil, err
		}
		entries, err := entriesOf(raw, bundle.W)
		if err != nil {
			return nil, err
		}
		for place, entry := range entries {
			hashes, err := tlog.StoredHashes(number<<height+int64(place), entry, reader)
			if err != nil {
				return nil, err
			}
			stored = append(stored, hashes...)
		}
	}
	return reader, nil
}

func rootOf(size int64, reader tlog.HashReader) (tlog.Hash, error) {
	if size == 0 {
		return tlog.Hash(sha256.Sum256(nil)), nil
	}
	return tlog.TreeHash(size, reader)
}

func checkTiles(dir string, size int64, reader tlog.HashReader, seen map[string]bool) error {
	for level := 0; size>>(height*level) > 0; level++ {
		count := size >> (height * level)
		for number := int64(0); number<<height < count; number++ {
			tile := tileAt(level, number, count)
			seen[path(tile)] = true
			want, err := tlog.ReadTileData(tile, reader)
			if err != nil {
				return err
			}
			got, err := os.ReadFile(filepath.Join(dir, path(tile)))
			if err != nil {
				return err
			}
			if !bytes.Equal(got, want) {
				return errors.New("another tile: " + path(tile))
			}
		}
	}
	return nil
}

// checkFiles refuses whatever is no tile of this size, empty ones among them.
func checkFiles(dir string, seen map[string]bool) error {
	return filepath.WalkDir(filepath.Join(dir, "tile"), func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && len(seen) == 0 {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		if err == nil && !seen[filepath.ToSlash(relative)] {
			err = errors.New("no tile of this size: " + relative)
		}
		return err
	})
}

func tiles(dir, name string, vkeys []string) (tlog.Tree, int, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	tree, signers, err := openCheckpoint(raw, vkeys)
	if err != nil {
		return tree, 0, err
	}
	seen := map[string]bool{}
	reader, err := hashesOf(dir, tree.N, seen)
	if err != nil {
		return tree, 0, err
	}
	root, err := rootOf(tree.N, reader)
	if err != nil {
		return tree, 0, err
	}
	if root != tree.Hash {
		return tree, 0, errors.New("the entries have another root")
	}
	if err := checkTiles(dir, tree.N, reader, seen); err != nil {
		return tree, 0, err
	}
	return tree, signers, checkFiles(dir, seen)
}

func receipt(proof, entry string, vkeys []string) (tlog.Tree, int, error) {
	raw, err := os.ReadFile(proof)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	data, err := os.ReadFile(entry)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	at := bytes.Index(raw, []byte("\n\n"))
	if at < 0 {
		return tlog.Tree{}, 0, errors.New("no head")
	}
	lines := strings.Split(string(raw[:at]), "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return tlog.Tree{}, 0, errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(lines[1][len("index "):], 10, 64)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return tlog.Tree{}, 0, err
		}
		path = append(path, hash)
	}
	tree, signers, err := openCheckpoint(raw[at+2:], vkeys)
	if err != nil {
		return tree, 0, err
	}
	return tree, signers, tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(data))
}

func run(job []string) (tlog.Tree, int, error) {
	if len(job) < 4 {
		return tlog.Tree{}, 0, errors.New("not a job")
	}
	switch job[0] {
	case "tiles":
		return tiles(job[1], job[2], job[3:])
	case "receipt":
		return receipt(job[1], job[2], job[3:])
	}
	return tlog.Tree{}, 0, errors.New("not a job: " + job[0])
}

func main() {
	jobs := bufio.NewScanner(os.Stdin)
	jobs.Buffer(nil, 1<<20)
	for jobs.Scan() {
		tree, signers, err := run(strings.Split(jobs.Text(), "\t"))
		if err != nil {
			fmt.Printf("bad %q\n", err.Error())
			continue
		}
		fmt.Printf("ok %d %x %d\n", tree.N, tree.Hash[:], signers)
	}
	if jobs.Err() != nil {
		fmt.Fprintln(os.Stderr, jobs.Err())
		os.Exit(1)
	}
}
