package api

// Room changes how many connections there may be, in all and of one address.
func (a *App) Room(most, mostOfOne int) {
	a.connections.most, a.connections.mostOfOne = most, mostOfOne
}
