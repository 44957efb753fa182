// Reads a file by the types of the program that will read it in earnest, and fails on what that one would refuse or
// pass over: unknown fields, wrong types, missing ones.
//
//	strict compose FILE           as `docker compose` reads it
//	strict dashboard FILE         Grafana's dashboards, classic schema
//	strict monitoring FILE...     ServiceMonitor, PodMonitor, PrometheusRule of the Prometheus operator, one a file
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 3 {
		fail("usage: strict compose|dashboard|monitoring FILE...")
	}
	for _, file := range os.Args[2:] {
		if err := check(os.Args[1], file); err != nil {
			fail(fmt.Sprintf("%s: %v", file, err))
		}
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func check(kind, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	switch kind {
	case "compose":
		return compose(file)
	case "dashboard":
		return grafana(text)
	case "monitoring":
		return custom(text)
	default:
		return fmt.Errorf("there is no kind %s", kind)
	}
}

func grafana(text []byte) error {
	// Without these, what panels and queries say is not looked at.
	plugins.RegisterDefaultPlugins()
	var read dashboard.Dashboard
	err := read.UnmarshalJSONStrict(text)
	// The library returns an empty list of errors where there is none.
	var found cog.BuildErrors
	if errors.As(err, &found) && len(found) == 0 {
		return nil
	}
	return err
}

func compose(file string) error {
	details := types.ConfigDetails{
		WorkingDir:  filepath.Dir(file),
		ConfigFiles: []types.ConfigFile{{Filename: file}},
		Environment: types.Mapping{},
	}
	_, err := loader.LoadWithContext(context.Background(), details, func(options *loader.Options) {
		options.SetProjectName("druid-gateway", true)
		options.Profiles = []string{"*"}
	})
	return err
}

func custom(text []byte) error {
	var object struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(text, &object); err != nil {
		return err
	}
	if object.APIVersion != "monitoring.coreos.com/v1" {
		return fmt.Errorf("unknown apiVersion %s", object.APIVersion)
	}
	var read any
	switch object.Kind {
	case "ServiceMonitor":
		read = &monitoring.ServiceMonitor{}
	case "PodMonitor":
		read = &monitoring.PodMonitor{}
	case "PrometheusRule":
		read = &monitoring.PrometheusRule{}
	default:
		return fmt.Errorf("unknown kind %s", object.Kind)
	}
	return yaml.UnmarshalStrict(text, read)
}
