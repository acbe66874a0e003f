package agent_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// brew has everything go wrong at random.
func (s *simulation) brew(all *sync.WaitGroup) {
	for f := range climate {
		of := []string{""}
		if strings.HasPrefix(string(f), "source") {
			of = []string{"hourly", "daily", "strict"}
		}
		for _, name := range of {
			all.Go(func() { s.weather.brew(spell{f, name}, newDice(s.seed, string(f)+name)) })
		}
	}
	at := func(every time.Duration, f func(*dice)) {
		d := newDice(s.seed, every.String())
		all.Go(func() {
			for s.weather.pause(d.about(every)) {
				f(d)
			}
		})
	}
	at(11*time.Hour, func(d *dice) { // from at once to at the next renewals
		if l := s.living(); l != nil {
			l.light(d.below(8), d.below(2) == 0)
		}
	})
	at(30*time.Hour, func(*dice) {
		if l := s.living(); l != nil {
			s.weather.strike(spell{restarted, ""})
			l.leave()
			l.stop()
		}
	})
	at(25*time.Hour, s.revokes)
	at(12*time.Hour, func(d *dice) { s.jump(d, d.between(minute, 12*time.Hour), -s.behind.Load()) })
	at(26*time.Hour, func(d *dice) { s.jump(d, 0, d.between(time.Second, 8*time.Second).Nanoseconds()) })
}

// revokes ends the life of a token, most often of one that is in use.
func (s *simulation) revokes(d *dice) {
	c, l := cast[d.below(len(cast))], s.living()
	if l == nil {
		return
	}
	l.mu.Lock()
	secret := l.given[c.name].secret
	l.mu.Unlock()
	if g, ok := s.cloud.newest(c.name); ok && d.below(4) == 0 {
		secret = g.secret
	}
	if s.cloud.revoke(secret) {
		s.note("revoked %s", secret)
		s.weather.strike(spell{revoked, c.name})
	}
}

// jump has the machine sleep, or sets its clock back by something small, or both
// right. That may be noticed late.
func (s *simulation) jump(d *dice, sleep time.Duration, back int64) {
	f := suspended
	if sleep == 0 {
		f = setBack
	}
	s.note("%s: %v, %v", f, sleep, time.Duration(back))
	s.slept.Add(int64(sleep))
	if s.behind.Add(back); s.behind.Load() > int64(8*time.Second) {
		s.behind.Store(int64(8 * time.Second))
	}
	s.jumps.Add(1)
	s.weather.strike(spell{f, ""})
	time.Sleep(time.Duration(d.below(15)) * time.Second)
	if l := s.living(); l != nil {
		l.bell.ring()
	}
}

// note remembers what has happened, for who has to find out why.
func (s *simulation) note(format string, args ...any) {
	s.diary.Lock()
	defer s.diary.Unlock()
	line := s.wall().Format("01-02 15:04:05.000 ") + fmt.Sprintf(format, args...)
	s.diary.notes = append(s.diary.notes[max(0, len(s.diary.notes)-19):], line)
}

// breach tells of a breach of the law.
func (s *simulation) breach(l *incarnation, format string, args ...any) {
	s.t.Helper()
	s.diary.Lock()
	defer s.diary.Unlock()
	if s.diary.breaches++; s.diary.breaches > 3 {
		return // one leads to the next
	}
	log := ""
	if l != nil {
		log = l.tail()
	}
	s.t.Errorf("-simulate-seed %d, %s: %s\nlately: %s\nlog:\n%s",
		s.seed, s.wall().Format("01-02 15:04:05.000"), fmt.Sprintf(format, args...), strings.Join(s.diary.notes, "\n\t"), log)
}

// tail is the end of what an agent has logged.
func (l *incarnation) tail() string {
	lines := strings.Split(strings.TrimSpace(l.log.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
