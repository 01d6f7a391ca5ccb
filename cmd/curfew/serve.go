package main

import (
	"context"

	"github.com/alecthomas/kong"
)

type serveCommand struct {
	kong.Plugins
}

func (serveCommand) Run(ctx context.Context, sh *shell, flags *settingFlags) error {
	_, err := sh.load(flags)
	return err
}

type migrateCommand struct {
	kong.Plugins
}

func (migrateCommand) Run(ctx context.Context, sh *shell, flags *settingFlags) error {
	_, err := sh.load(flags)
	return err
}
