package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// awsConfig is the config of AWS's programs as it was read.
type awsConfig struct {
	shown string      // path, as a person knows it
	path  string      // of the file itself, where shown is a link
	info  fs.FileInfo // nil: there is none
	text  []byte
}

// home is the person's; empty if nobody says where it is.
func (c *cli) home() string {
	if home := c.getenv("HOME"); home != "" {
		return home
	}
	home, _ := os.UserHomeDir() // Windows
	return home
}

// awsFile is where one of AWS's files is: where the variable says, else in ~/.aws.
func (c *cli) awsFile(variable, name string) (string, error) {
	home, path := c.home(), c.getenv(variable)
	if rest, ok := strings.CutPrefix(path, "~/"); ok { // which they take for home, too
		path = filepath.Join(home, rest)
	}
	if path != "" {
		return filepath.Abs(path)
	}
	if home == "" {
		return "", fail("set HOME, or "+variable, "aws: nobody knows where its config is")
	}
	return filepath.Join(home, ".aws", name), nil
}

// readAWSConfig reads the config that AWS's programs read. That there is none is no
// error.
func (c *cli) readAWSConfig() (*awsConfig, error) {
	shown, err := c.awsFile("AWS_CONFIG_FILE", "config")
	if err != nil {
		return nil, err
	}
	f := &awsConfig{shown: shown, path: shown}
	if _, err := os.Lstat(shown); errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if f.path, err = filepath.EvalSymlinks(shown); err == nil { // a dangling link is an error
		f.info, err = os.Stat(f.path)
	}
	if err != nil {
		return nil, f.refuse(err)
	}
	switch {
	case !f.info.Mode().IsRegular():
		return nil, fail("nothing was changed", "%s: not a regular file", shown)
	case f.info.Mode()&0o200 == 0:
		return nil, fail("chmod u+w it, if it is yours to change", "%s: it is read-only", shown)
	}
	if f.text, err = os.ReadFile(f.path); err != nil {
		return nil, f.refuse(err)
	}
	if kubeconfig.UTF16(f.text) {
		return nil, fail("save it as UTF-8, then try again", "%s: it is written in UTF-16", shown)
	}
	return f, nil
}

// add is what is to be appended so that section stands at the end by itself.
func (f *awsConfig) add(section string) string {
	text := string(f.text)
	switch {
	case text == "" || strings.HasSuffix(text, "\n\n") || strings.HasSuffix(text, "\n\r\n"):
	case strings.HasSuffix(text, "\n"):
		section = "\n" + section
	default:
		section = "\n\n" + section
	}
	if strings.Contains(text, "\r\n") {
		section = strings.ReplaceAll(section, "\n", "\r\n")
	}
	return section
}

// write appends to the file, whole or not at all. No other byte of it changes, nor do
// its mode and owner.
func (f *awsConfig) write(added string) error {
	o := atomicfile.Options{Mode: 0o600, Before: f.unchanged}
	if f.info != nil {
		o.Mode, o.Like = f.info.Mode().Perm(), f.info
	} else if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return f.refuse(err)
	}
	done, err := lockAWSFolder(filepath.Dir(f.path)) // from the last look at it to the rename
	if err != nil {
		return f.refuse(err)
	}
	defer done()
	if err := atomicfile.Write(f.path, append(bytes.Clone(f.text), added...), o); err != nil {
		return f.refuse(err)
	}
	return nil
}

// unchanged makes sure that nobody has written the file since it was read.
func (f *awsConfig) unchanged() error {
	now, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) && f.info == nil {
		return nil
	}
	if err == nil && (f.info == nil || !bytes.Equal(now, f.text)) {
		err = errors.New("it has changed while you were asked")
	}
	return err
}

// refuse says why the file is as it was.
func (f *awsConfig) refuse(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return fail("nothing was changed", "%s: %v", f.shown, err)
}

// warnOfKeys says where keys lie that AWS's programs take before those of a
// credential_process.
func (c *cli) warnOfKeys(name string) {
	if c.getenv("AWS_ACCESS_KEY_ID") != "" {
		fmt.Fprintln(c.err, "note: AWS_ACCESS_KEY_ID is set, which AWS tools take before the profile that AWS_PROFILE names: unset it")
	}
	path, err := c.awsFile("AWS_SHARED_CREDENTIALS_FILE", "credentials")
	if err != nil {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	for _, p := range profilesIn(string(text), func(words []string) bool { return len(words) == 1 && words[0] == name }) {
		if p["aws_access_key_id"] != "" {
			fmt.Fprintf(c.err, "note: %s has keys of that profile, which AWS tools take before these: remove them there\n", path)
			return
		}
	}
}
