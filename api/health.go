package api

import (
	"fmt"

	"github.com/gofiber/fiber/v2"
)

// healthz says that the process runs.
func (a *App) healthz(c *fiber.Ctx) error {
	return answer(c, fiber.StatusOK, map[string]string{"status": "ok", "version": a.cfg.Version})
}

// readyz says whether questions would be answered, those that need the database too.
func (a *App) readyz(c *fiber.Ctx) error {
	if err := a.cfg.Service.Ready(); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	ctx, cancel := asking()
	defer cancel()
	if err := a.cfg.Store.Ping(ctx); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return answer(c, fiber.StatusOK, map[string]string{"status": "ready"})
}
