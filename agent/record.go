package agent

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// record is what the ledger keeps of a credential.
func (c *credential) record() Record {
	return Record{
		Name: c.name, Servers: c.servers, NoClusterInfo: c.noClusterInfo, Ephemeral: c.token.brief, Held: c.held,
		Token: c.token.record(), Host: c.token.host,
		Standby:  records(c.standby, func(t token) bool { return t.saved }),
		Previous: records(c.previous, func(t token) bool { return t.saved || t.api }),
	}
}

// records are those tokens of which there is something to remember.
func records(tokens []token, worth func(token) bool) []Token {
	var out []Token
	for _, t := range tokens {
		if worth(t) {
			out = append(out, t.record())
		}
	}
	return out
}

func (t token) record() Token {
	r := Token{
		ID: t.id, API: t.api, Added: t.added, Created: known(t.created), Expiry: t.expiry, Expires: known(t.expires),
		Identity: t.identity, Verified: known(t.verified), Refused: t.refused, Retired: known(t.retired),
	}
	if t.saved {
		r.Key = t.key
	} else {
		r.Label = t.label()
	}
	return r
}

// fromRecord makes a credential of what the ledger kept; its secrets, if there
// are any, are still in the store.
func fromRecord(r Record) *credential {
	c := &credential{
		name: r.Name, servers: r.Servers, noClusterInfo: r.NoClusterInfo, held: r.Held,
		token: fromToken(r.Token), vigil: &vigil{}, bunch: &bunch{},
	}
	c.token.brief = r.Ephemeral && !c.token.saved
	if !c.token.saved {
		c.token.host = r.Host
	}
	if s, err := canonicalAll(r.Servers); err == nil {
		c.servers = s // early ones have their proxy's password
	}
	for _, t := range r.Standby {
		c.standby = append(c.standby, fromToken(t))
	}
	for _, t := range r.Previous {
		c.previous = append(c.previous, fromToken(t))
	}
	return c
}

// fromToken takes what has a public id for an API Access Token: no other has one,
// and the first form of the ledger does not say.
func fromToken(t Token) token {
	out := token{
		key: t.Key, saved: t.Key != "", api: t.API || t.ID != "", id: t.ID, added: t.Added, created: instantOf(t.Created),
		expiry: t.Expiry, expires: instantOf(t.Expires),
		identity: t.Identity, verified: instantOf(t.Verified), refused: t.Refused, retired: instantOf(t.Retired),
	}
	if !out.saved {
		out.key = t.Label
	}
	return out
}

func instantOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// page returns the book as it will be with next in the place of their names. Keys
// that the book had and no token has any more become orphans. The caller is the
// one who may change.
func (a *Agent) page(next ...*credential) Book {
	return a.bookOf(func(creds map[string]*credential) {
		for _, c := range next {
			creds[c.name] = c
		}
	})
}

// pageWithout is page without the credential of that name.
func (a *Agent) pageWithout(name string) Book {
	return a.bookOf(func(creds map[string]*credential) { delete(creds, name) })
}

func (a *Agent) bookOf(edit func(map[string]*credential)) Book {
	a.mu.RLock()
	creds, cas := maps.Clone(a.creds), maps.Clone(a.cas)
	a.mu.RUnlock()
	edit(creds)
	b := Book{
		Store: a.book.Store, Host: a.book.Host, Credentials: []Record{}, CAs: cas, Elsewhere: a.book.Elsewhere, Moving: a.book.Moving,
	}
	for _, c := range creds {
		r := c.written()
		if c.token.only() {
			r.Host = a.Host
		}
		b.Credentials = append(b.Credentials, r)
	}
	slices.SortFunc(b.Credentials, func(x, y Record) int { return strings.Compare(x.Name, y.Name) })
	b.settle(a.book)
	b.prune()
	return b
}

// settle makes orphans of the keys that old had and b has not.
func (b *Book) settle(old Book) {
	used := b.keys()
	was := old.keys()
	for _, key := range old.Orphans {
		was[key] = true
	}
	b.Orphans = nil
	for key := range was {
		if !used[key] {
			b.Orphans = append(b.Orphans, key)
		}
	}
	slices.Sort(b.Orphans)
}

// keys are the names in the store of all tokens of b.
func (b *Book) keys() map[string]bool {
	keys := map[string]bool{}
	for _, r := range b.Credentials {
		for _, t := range slices.Concat([]Token{r.Token}, r.Standby, r.Previous) {
			if t.Key != "" {
				keys[t.Key] = true
			}
		}
	}
	return keys
}

// write makes b the book. The caller is the one who may change.
func (a *Agent) write(b Book) error {
	if a.barred != nil {
		return errBarred(a.barred)
	}
	err := a.Ledger.Save(b)
	if err == nil {
		a.noteBook(b)
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

// orphan notes a key that is to leave the store unless it comes into use, drop
// that it has left.
func (b *Book) orphan(key string) {
	if key != "" && !slices.Contains(b.Orphans, key) {
		b.Orphans = append(b.Orphans, key)
	}
}

func (b *Book) drop(key string) {
	b.Orphans = slices.DeleteFunc(b.Orphans, func(k string) bool { return k == key })
}
