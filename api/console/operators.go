package console

// operatorRoutes are the pages for those who have a role.
func (c *Console) operatorRoutes() []route { return nil }

// consoleMenu is the menu of the console, in its order.
func consoleMenu() []entry { return nil }
