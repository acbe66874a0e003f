package server

// Ahead makes a server one that speaks newer versions, too.
func (s *Server) Ahead(versions byte) { s.ahead = versions }
