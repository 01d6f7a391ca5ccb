package api

import "github.com/gofiber/fiber/v2"

// Document is what /openapi.json shows.
func (a *App) Document() ([]byte, error) { return document(&a.cfg) }

// Routes are all that Fiber knows.
func (a *App) Routes() []fiber.Route { return a.fiber.GetRoutes(true) }
