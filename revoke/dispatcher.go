package revoke

import (
	"context"
	"log/slog"
)

// DispatcherConfig names everything a Dispatcher depends on.
type DispatcherConfig struct {
	Queue    Queue
	Clock    Clock
	Targets  map[string]Target
	Owed     <-chan struct{} // told when new deliveries were committed
	Observer Observer
	Log      *slog.Logger
}

// Dispatcher carries deliveries to their targets.
type Dispatcher struct{}

// NewDispatcher checks cfg.
func NewDispatcher(cfg DispatcherConfig) (*Dispatcher, error) { panic("todo") }

// Run works until ctx ends and all calls have ended.
func (d *Dispatcher) Run(ctx context.Context) error { panic("todo") }
