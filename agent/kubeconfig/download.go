package kubeconfig

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// consoleDownload matches the file names of the Console's kubeconfigs, with what
// browsers and people add, in any order: " (1)", "(1)", ".txt", ".yaml", ".json".
var consoleDownload = lazyregexp.New(`^CWKubeconfig_(cwtoken-[A-Za-z0-9]+)-(.+?)(?i: ?\(\d+\)|\.txt|\.ya?ml|\.json)*$`)

// unfinished matches what browsers call a file while its download goes on. Safari's
// .download is a folder; .tmp is nobody's, and a token may be named so.
var unfinished = lazyregexp.New(`\.(part|crdownload|opdownload|partial)$`)

// Download takes the public id and the name of a token out of the path of one of
// the Console's kubeconfigs; both are empty for any other file, and for one that
// a browser has not finished yet.
func Download(path string) (id, name string) {
	base := filepath.Base(path)
	m := consoleDownload().FindStringSubmatch(base)
	if m == nil || unfinished().MatchString(base) {
		return "", ""
	}
	return m[1], m[2]
}

// DownloadedAt is when the token of a download was made: the file is as old as it
// is. One from the future, after a copy or with a wrong clock, would make an
// expiry too late.
func DownloadedAt(file, now time.Time) time.Time {
	if file.Before(now) {
		return file
	}
	return now
}

// UserName returns what a user that is literally named "token" is called instead:
// cw-NAME, or the first of cw-NAME-2 ... that is not taken.
func UserName(credential string, taken func(name string) bool) string {
	want := "cw-" + credential
	name := want
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", want, n)
	}
	return name
}

// secretName matches a token in a name: people paste tokens into wrong places.
var secretName = lazyregexp.New(`CW-SECRET-\S+`)

// HideTokens is a name from a kubeconfig without a token in it.
func HideTokens(name string) string { return secretName().ReplaceAllString(name, "CW-SECRET-...") }
