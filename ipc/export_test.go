package ipc

// CallIn is Call by a client that speaks another version.
var CallIn = call

// Common is what such a client goes by.
var Common = common
