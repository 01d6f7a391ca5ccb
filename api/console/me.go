package console

const signedOutPath = "/me/signed-out"

// ownRoutes are the pages of a person's own devices.
func (c *Console) ownRoutes() []route { return nil }
