package cloud

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
)

func review(t *testing.T, l *List, body string) (int, authv1.TokenReview) {
	t.Helper()
	w := httptest.NewRecorder()
	WebhookHandler(l).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	var answer authv1.TokenReview
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Kind != "TokenReview" || answer.APIVersion != "authentication.k8s.io/v1" {
			t.Errorf("answer is a %s of %s", answer.Kind, answer.APIVersion)
		}
	}
	return w.Code, answer
}

func reviewOf(secret string) string {
	return `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"` + secret + `"}}`
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := NewList(c.now)
	alive := mint(t, l, Order{Name: "x", UID: "u-1", OrgUID: "o-1"}).Secret.Reveal()
	expired := mint(t, l, Order{Name: "x", Lifetime: time.Minute}).Secret.Reveal()
	revoked := mint(t, l, Order{Name: "gone"}).Secret.Reveal()
	if _, err := l.Revoke("gone"); err != nil {
		t.Fatal(err)
	}
	c.forward(time.Minute)
	for secret, want := range map[string]authv1.TokenReviewStatus{
		alive: {Authenticated: true, User: authv1.UserInfo{
			Username: "u-1",
			UID:      "u-1",
			Groups:   []string{"system:masters", "org:o-1"},
			Extra:    map[string]authv1.ExtraValue{"coreweave.com/org": {"o-1"}},
		}},
		expired:   {Error: "token has expired"},
		revoked:   {Error: "token has been revoked"},
		"unknown": {},
	} {
		code, answer := review(t, l, reviewOf(secret))
		if code != http.StatusOK || !reflect.DeepEqual(answer.Status, want) {
			t.Errorf("%d %+v, want %+v", code, answer.Status, want)
		}
		if answer.Spec.Token != "" {
			t.Error("the answer carries the token back")
		}
	}
	if got, _ := l.Requests("x"); got != (Counts{Webhook: 2}) {
		t.Errorf("counted %+v", got)
	}
}

func TestWebhookRefusesOtherThings(t *testing.T) {
	t.Parallel()
	l := NewList(newClock().now)
	for _, body := range []string{
		"",
		"null",
		"[]",
		`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1","spec":{}}`,
		`{"kind":"SubjectAccessReview","apiVersion":"authentication.k8s.io/v1"}`,
		reviewOf(strings.Repeat("a", largestReview)),
	} {
		if code, _ := review(t, l, body); code != http.StatusBadRequest {
			t.Errorf("%.80q: %d", body, code)
		}
	}
	if got, _ := l.Requests(""); got != (Counts{}) {
		t.Errorf("counted %+v", got)
	}
}
