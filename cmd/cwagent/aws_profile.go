package main

import (
	"maps"
	"net/url"
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// A profile is a section of AWS's config: how it gets keys, and what AI Object Storage
// wants beside.
type profile struct{ name, process, endpoint, region string }

// profileNames are those that need no quotes in any of AWS's programs.
var profileNames = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

var regions = lazyregexp.New(`^[A-Za-z0-9-]{1,63}$`)

// newProfile makes the profile that gets the keys of that credential.
func (c *cli) newProfile(credential string, fl awsFlags) (profile, error) {
	if err := agent.CheckName(credential); err != nil {
		return profile{}, err
	}
	if !profileNames().MatchString(fl.profile) {
		return profile{}, fail("letters, digits, dots, hyphens and underscores", "--profile %q: not a name of a profile", fl.profile)
	}
	u, err := url.Parse(fl.endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(fl.endpoint, " #;\t\r\n") {
		return profile{}, fail("https://cwobject.com, or within a CoreWeave cluster http://cwlota.com", "--endpoint-url %q: not of the form https://HOST", fl.endpoint)
	}
	if fl.region != "" && !regions().MatchString(fl.region) {
		return profile{}, fail("an availability zone, such as US-EAST-04A", "--region %q: not a name of a region", fl.region)
	}
	program, err := c.lastingPath("cwagent", "--cwagent-path", fl.program)
	if err != nil {
		return profile{}, err
	}
	program, ok := quotedProgram(program)
	if !ok {
		return profile{}, fail("install it elsewhere, or name a link to it with --cwagent-path", "%s: AWS tools read a path with such characters in different ways", program)
	}
	return profile{fl.profile, program + " aws " + credential, fl.endpoint, fl.region}, nil
}

// quotedProgram writes a path as the first word of a credential_process: in double
// quotes where it has blanks, as AWS documents it. Some of its programs hand the line
// to a shell, others split it themselves, some cut it where a comment may begin; what
// these take for different things is not ok.
func quotedProgram(path string) (word string, ok bool) {
	unsafe := "\"$`#;%\\"
	if strings.Contains(path, `:\`) {
		unsafe = "\"#;%" // Windows
	}
	if strings.ContainsAny(path, unsafe) || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return path, false
	}
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+@-:\\", r)
	}) {
		return `"` + path + `"`, true
	}
	return path, true
}

// section is the text of the profile, as "aws configure set" would write it.
func (p profile) section() string {
	text := "[profile " + p.name + "]\n"
	if p.name == "default" {
		text = "[default]\n"
	}
	text += "credential_process = " + p.process + "\nendpoint_url = " + p.endpoint + "\n"
	if p.region != "" {
		text += "region = " + p.region + "\n"
	}
	return text + "s3 =\n    addressing_style = virtual\n"
}

// profilesIn returns what each section says that is headed like that: the words of its
// first line.
func profilesIn(text string, heads func(words []string) bool) (all []map[string]string) {
	var into map[string]string
	parent := ""
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		trimmed := strings.TrimSpace(line)
		key, value, _ := strings.Cut(trimmed, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		head, isHead := strings.CutPrefix(trimmed, "[")
		switch nested := line[0] == ' ' || line[0] == '\t'; {
		case trimmed == "", trimmed[0] == '#', trimmed[0] == ';':
		case isHead && !nested:
			head, _, _ = strings.Cut(head, "]")
			words := strings.FieldsFunc(head, func(r rune) bool { return strings.ContainsRune(" \t\"'", r) })
			if into, parent = nil, ""; heads(words) {
				into = map[string]string{}
				all = append(all, into)
			}
		case into == nil:
		case nested:
			into[parent+"."+key] = value
		default:
			into[key], parent = value, key
		}
	}
	return all
}

// inConfig reports whether a section of the config is that profile.
func inConfig(name string) func(words []string) bool {
	return func(words []string) bool {
		return len(words) == 2 && words[0] == "profile" && words[1] == name || name == "default" && len(words) == 1 && words[0] == name
	}
}

// has reports whether the profile is there already. One that says something else is
// somebody's.
func (f *awsConfig) has(p profile) (bool, error) {
	want := profilesIn(p.section(), inConfig(p.name))[0]
	there := profilesIn(string(f.text), inConfig(p.name))
	for _, is := range there {
		if !maps.Equal(is, want) {
			return false, fail("take another name, or edit it: without --write, this prints what it is to say", "%s: profile %s is there, and says something else", f.shown, p.name)
		}
	}
	return len(there) > 0, nil
}
