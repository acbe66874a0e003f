package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// parts stores values that are longer than an item of the vault may be. Windows
// takes 2,560 bytes, macOS about 2,900.
//
// A short value is the item of its key, as it is. Of a long one that item is the
// head, which names a generation, the number of parts, their length and their
// SHA-256. There are two generations, a and b. A write goes to the one that the
// head does not name, and the head is written when its parts are there: until
// then the old value stands, and after a crash at any point one of the two is
// whole. What the head does not name is swept behind it, or by the next Put or
// Delete of that key: two names and counting from 1 are enough to find it.
type parts struct {
	vault vault
	limit int
}

// errTorn is none of the four answers: there is something, and it is not what
// was put.
var errTorn = errors.New("its parts do not fit together")

const headMark = "cwagent parts v1 "

// maxParts is far above what the longest token needs on Windows: 53.
const maxParts = 4096

var generations = [2]string{"a", "b"}

// head is the content of an item whose value is elsewhere.
type head struct {
	gen    string
	count  int
	length int
	sum    string
}

func (h head) String() string {
	return fmt.Sprintf("%s%s %d %d %s", headMark, h.gen, h.count, h.length, h.sum)
}

// parseHead reports whether value is a head. A value that only begins like one
// is a torn one: Put never leaves such a thing in one item.
func parseHead(value string) (h head, is bool, err error) {
	rest, is := strings.CutPrefix(value, headMark)
	if !is {
		return head{}, false, nil
	}
	f := strings.Fields(rest)
	if len(f) != 4 || (f[0] != generations[0] && f[0] != generations[1]) {
		return head{}, true, errTorn
	}
	h = head{gen: f[0], sum: f[3]}
	var err1, err2 error
	h.count, err1 = strconv.Atoi(f[1])
	h.length, err2 = strconv.Atoi(f[2])
	if err1 != nil || err2 != nil || h.count < 1 || h.count > maxParts || h.String() != value {
		return head{}, true, errTorn
	}
	return h, true, nil
}

func partName(key, gen string, i int) string { return fmt.Sprintf("%s part %s%d", key, gen, i) }

func checksum(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// Get implements blocking.
func (p *parts) Get(ctx context.Context, key string) (s ipc.Secret, err error) {
	err = p.vault.enter(ctx, func(in items) error {
		value, err := in.read(ctx, key)
		if err != nil {
			return err
		}
		h, split, err := parseHead(value)
		if err == nil && split {
			value, err = join(ctx, in, key, h)
		}
		s = ipc.NewSecret(value)
		return err
	})
	if err != nil {
		return ipc.Secret{}, err
	}
	return s, nil
}

// Put implements blocking. What cannot be swept goes with the next Put or
// Delete: the value is safe by then.
func (p *parts) Put(ctx context.Context, key string, s ipc.Secret) error {
	return p.vault.enter(ctx, func(in items) error {
		old, err := in.read(ctx, key)
		if err != nil && !errors.Is(err, agent.ErrNotFound) {
			return err
		}
		value, h := s.Reveal(), head{}
		if len(value) > p.limit || strings.HasPrefix(value, headMark) {
			if h, err = p.split(ctx, in, key, value, old); err != nil {
				return err
			}
			value = h.String()
		}
		if err := in.write(ctx, key, value); err != nil {
			return err
		}
		_ = sweep(ctx, in, key, old, h)
		return nil
	})
}

// Delete implements blocking.
func (p *parts) Delete(ctx context.Context, key string) error {
	return p.vault.enter(ctx, func(in items) error {
		old, err := in.read(ctx, key)
		if err == nil {
			err = in.remove(ctx, key)
		}
		if err != nil && !errors.Is(err, agent.ErrNotFound) {
			return err
		}
		return sweep(ctx, in, key, old, head{})
	})
}

// split writes the parts of value beside the item old, and looks whether they
// are there: some keyrings take an item and forget it, and the head is about to
// replace the old value.
func (p *parts) split(ctx context.Context, in items, key, value, old string) (head, error) {
	h := head{gen: generations[0], length: len(value), sum: checksum(value)}
	if was, is, err := parseHead(old); is && err == nil && was.gen == h.gen {
		h.gen = generations[1]
	}
	if len(value) > maxParts*p.limit {
		return head{}, fmt.Errorf("%w: %d bytes are too long for it", agent.ErrRefused, len(value))
	}
	for part := range slices.Chunk([]byte(value), p.limit) {
		h.count++
		if err := in.write(ctx, partName(key, h.gen, h.count), string(part)); err != nil {
			return head{}, err
		}
	}
	_, err := join(ctx, in, key, h)
	if errors.Is(err, errTorn) {
		err = fmt.Errorf("%w: it did not keep the %d parts of a long value", agent.ErrRefused, h.count)
	}
	return h, err
}

// join reads what h names.
func join(ctx context.Context, in items, key string, h head) (string, error) {
	var b strings.Builder
	for i := 1; i <= h.count; i++ {
		part, err := in.read(ctx, partName(key, h.gen, i))
		if errors.Is(err, agent.ErrNotFound) { // the secret is there: in part
			return "", fmt.Errorf("%w: part %d of %d is missing", errTorn, i, h.count)
		}
		if err != nil {
			return "", err
		}
		b.WriteString(part)
	}
	value := b.String()
	if len(value) != h.length || checksum(value) != h.sum {
		return "", errTorn
	}
	return value, nil
}

// sweep removes the parts of key that h does not name, which the item old, if
// it is a head, may count. The last goes first: a sweep that is cut short leaves
// no gap, and the next one finds the rest.
func sweep(ctx context.Context, in items, key, old string, h head) error {
	was, _, _ := parseHead(old)
	for _, gen := range generations {
		first := 1
		if gen == h.gen {
			first = h.count + 1
		}
		end, err := firstAbsent(ctx, in, key, gen, first)
		if err != nil {
			return err
		}
		if gen == was.gen {
			end = max(end, was.count+1) // somebody else may have made a gap
		}
		for i := end - 1; i >= first; i-- {
			if err := in.remove(ctx, partName(key, gen, i)); err != nil && !errors.Is(err, agent.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

func firstAbsent(ctx context.Context, in items, key, gen string, from int) (int, error) {
	for i := from; ; i++ {
		_, err := in.read(ctx, partName(key, gen, i))
		if errors.Is(err, agent.ErrNotFound) {
			return i, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
