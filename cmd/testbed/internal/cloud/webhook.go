package cloud

import (
	"encoding/json"
	"fmt"
	"net/http"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A bearer token fits into a request header, and the largest that Go's server takes is 1 MiB.
const largestReview = 2 << 20

// WebhookHandler answers the API server's TokenReviews (authentication.k8s.io/v1) from the list. Every live token is
// an administrator: what a token may do is not what this test bed is about.
func WebhookHandler(tokens *List) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review authv1.TokenReview
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestReview)).Decode(&review); err != nil {
			http.Error(w, fmt.Sprintf("read TokenReview: %v", err), http.StatusBadRequest)
			return
		}
		want := authv1.SchemeGroupVersion.String()
		if review.Kind != "TokenReview" || review.APIVersion != want {
			http.Error(w, fmt.Sprintf("want a TokenReview of %s", want), http.StatusBadRequest)
			return
		}
		answer := authv1.TokenReview{TypeMeta: review.TypeMeta}
		answer.Status = reviewStatus(tokens.Asked(Webhook, review.Spec.Token))
		writeJSON(w, http.StatusOK, answer)
	})
}

func reviewStatus(t Token, state State) authv1.TokenReviewStatus {
	switch state {
	case Alive:
		return authv1.TokenReviewStatus{Authenticated: true, User: authv1.UserInfo{
			Username: t.UID,
			UID:      t.UID,
			Groups:   t.groups(),
			Extra:    map[string]authv1.ExtraValue{"coreweave.com/org": {t.OrgUID}},
		}}
	case Expired:
		return authv1.TokenReviewStatus{Error: "token has expired"}
	case Revoked:
		return authv1.TokenReviewStatus{Error: "token has been revoked"}
	}
	return authv1.TokenReviewStatus{}
}

// forbidden is what CKS answers to a dead token, in the form that every API server gives to its refusals.
func forbidden() metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure,
		Message:  "forbidden: the access token is not valid",
		Reason:   metav1.StatusReasonForbidden,
		Code:     http.StatusForbidden,
	}
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}
