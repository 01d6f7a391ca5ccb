package console

// Paths returns the console's routes, as METHOD path.
func (c *Console) Paths() []string {
	var out []string
	for _, r := range c.operatorRoutes() {
		out = append(out, r.method+" "+r.path)
	}
	return out
}
