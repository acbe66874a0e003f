package agent

import (
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// record is what the ledger keeps of a credential.
func (c *credential) record() Record {
	r := Record{
		Name: c.name, Servers: c.servers, NoClusterInfo: c.noClusterInfo, Ephemeral: c.ephemeral,
		Token: c.token.record(),
	}
	if !c.saved {
		r.Token.Key = ""
	}
	for _, t := range c.previous {
		r.Previous = append(r.Previous, t.record())
	}
	return r
}

func (t token) record() Token {
	return Token{
		Key: t.key, ID: t.id, Added: t.added, Created: known(t.created), Expiry: t.expiry, Expires: known(t.expires),
		Identity: t.identity, Verified: known(t.verified), Refused: t.refused,
	}
}

// fromRecord makes a credential of what the ledger kept; its secret, if there
// is one, is still in the store.
func fromRecord(r Record) *credential {
	c := &credential{
		name: r.Name, servers: r.Servers, noClusterInfo: r.NoClusterInfo, ephemeral: r.Ephemeral,
		saved: r.Token.Key != "", token: fromToken(r.Token),
	}
	if s, err := canonicalAll(r.Servers); err == nil {
		c.servers = s // early ones have their proxy's password
	}
	for _, t := range r.Previous {
		c.previous = append(c.previous, fromToken(t))
	}
	return c
}

func fromToken(t Token) token {
	return token{
		key: t.Key, id: t.ID, added: t.Added, created: instantOf(t.Created), expiry: t.Expiry, expires: instantOf(t.Expires),
		identity: t.Identity, verified: instantOf(t.Verified), refused: t.Refused,
	}
}

func instantOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// page returns the book as it will be with next in the place of its name, and
// without the credential called gone. The caller is the one who may change.
func (a *Agent) page(next *credential, gone string) Book {
	b := a.book
	b.Orphans = slices.Clone(b.Orphans)
	b.Credentials = []Record{}
	a.mu.RLock()
	for name, c := range a.creds {
		if name != gone && (next == nil || name != next.name) {
			b.Credentials = append(b.Credentials, c.record())
		}
	}
	a.mu.RUnlock()
	if next != nil {
		b.Credentials = append(b.Credentials, next.record())
	}
	slices.SortFunc(b.Credentials, func(x, y Record) int { return strings.Compare(x.Name, y.Name) })
	return b
}

// write makes b the book. The caller is the one who may change.
func (a *Agent) write(b Book) error {
	err := a.Ledger.Save(b)
	if err == nil {
		a.book, a.unsure = b, false
		return nil
	}
	// The file may have been replaced all the same: not every file system that
	// says no means it (NFS, FUSE).
	a.unsure = a.Ledger.Save(a.book) != nil
	return &ipc.Error{Code: ipc.CodeStore, What: err.Error(), Hint: "nothing was changed; look at the disk and the state folder"}
}

// prune drops the certificate authorities that no binding names any more.
func (b *Book) prune() {
	used := map[string][]byte{}
	for _, r := range b.Credentials {
		for _, s := range r.Servers {
			if pem, ok := b.CAs[s.CASHA256]; ok {
				used[s.CASHA256] = pem
			}
		}
	}
	b.CAs = used
}

// orphan notes a key that is to leave the store, adopt that one is in use, or
// gone.
func (b *Book) orphan(key string) {
	if key != "" && !slices.Contains(b.Orphans, key) {
		b.Orphans = append(b.Orphans, key)
	}
}

func (b *Book) adopt(key string) {
	b.Orphans = slices.DeleteFunc(b.Orphans, func(k string) bool { return k == key })
}
