// Package cloud plays CoreWeave: the Console that mints and deletes API Access Tokens, the api.coreweave.com that says
// whether one is alive, and the webhook through which a cluster asks the same question.
//
// All of them read one List, so that a token revoked or expired is dead everywhere from the very next request. Nothing
// is cached and nothing is written to disk. Every request is counted for the token that it carried: a test can tell a
// program that asked once from one that asked again.
//
// What CoreWeave documents is played to the letter. What nobody has published (the bodies of refusals, the groups of a
// principal) is a guess that a program under test should not depend on.
package cloud
