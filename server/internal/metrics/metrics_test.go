package metrics

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pail/server/internal/s3api"
)

func TestRequestsAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := New(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"", "", "NoSuchKey"} {
		m.Start("GetObject")
		m.Done(s3api.Event{Op: "GetObject", Code: code, Duration: time.Millisecond, In: 1, Out: 10})
	}
	m.Start("PutObject") // under way
	want := map[string]float64{"pail_s3_requests_total OK": 2, "pail_s3_requests_total NoSuchKey": 1,
		"pail_s3_received_bytes_total": 3, "pail_s3_sent_bytes_total": 30, "pail_s3_requests_in_flight": 1}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, sample := range f.GetMetric() {
			name := f.GetName()
			for _, l := range sample.GetLabel() {
				if l.GetName() == "code" {
					name += " " + l.GetValue()
				}
			}
			got[name] = sample.GetCounter().GetValue() + sample.GetGauge().GetValue()
		}
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
	}
	if _, err := New(reg); err == nil {
		t.Error("two collectors of the same name are taken")
	}
}
