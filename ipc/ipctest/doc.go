// Package ipctest helps to test what speaks over the agent's socket: an agent
// in memory ([Fake]), the one statement of what every ipc.Agent must do
// ([Conform]), a served socket ([Serve]), and the means to be somebody else for
// the length of a test.
//
// It is for tests only, and promises little about time ([ConformInTime]): what
// else needs a moving clock is tested with the daemon.
package ipctest
