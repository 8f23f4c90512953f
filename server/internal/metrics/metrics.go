// Package metrics counts the server's requests for Prometheus. All names of metrics are in this file.
package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"pail/server/internal/s3api"
)

// Requests is an s3api.Observer.
type Requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received *prometheus.CounterVec
	sent     *prometheus.CounterVec
	inFlight prometheus.Gauge

	series sync.Map // of *series by [2]string{op, code}: looking one up in a vector hashes its labels anew each time
}

// series is where the requests of one operation and code are counted.
type series struct {
	total, received, sent prometheus.Counter
	duration              prometheus.Observer
}

func (m *Requests) of(op, code string) *series {
	key := [2]string{op, code}
	if s, ok := m.series.Load(key); ok {
		return s.(*series)
	}
	s, _ := m.series.LoadOrStore(key, &series{
		total:    m.total.WithLabelValues(op, code),
		received: m.received.WithLabelValues(op),
		sent:     m.sent.WithLabelValues(op),
		duration: m.duration.WithLabelValues(op),
	})
	return s.(*series)
}

// New registers the collectors with reg.
func New(reg prometheus.Registerer) (*Requests, error) {
	m := &Requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pail_s3_requests_total",
			Help: "Requests answered, by operation and S3 error code (OK for none)."}, []string{"op", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pail_s3_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30, 120}}, []string{"op"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pail_s3_received_bytes_total",
			Help: "Bytes of request bodies."}, []string{"op"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pail_s3_sent_bytes_total",
			Help: "Bytes of answer bodies."}, []string{"op"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "pail_s3_requests_in_flight",
			Help: "Requests being answered."}),
	}
	for _, c := range []prometheus.Collector{m.total, m.duration, m.received, m.sent, m.inFlight} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Start counts a request in.
func (m *Requests) Start(string) { m.inFlight.Inc() }

// Done counts a request out.
func (m *Requests) Done(e s3api.Event) {
	code := e.Code
	if code == "" {
		code = "OK"
	}
	m.inFlight.Dec()
	s := m.of(e.Op, code)
	s.total.Inc()
	s.duration.Observe(e.Duration.Seconds())
	s.received.Add(float64(e.In))
	s.sent.Add(float64(e.Out))
}

// Replicas registers what tells how many servers share the database.
func Replicas(reg prometheus.Registerer, count func() int) error {
	return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pail_replicas",
		Help: "Servers that share the database, as far as this one knows."}, func() float64 { return float64(count()) }))
}

// Ownership registers what tells whether this server serves: epoch gives the number of the epoch in which it owns its
// directories, 0 while it stands by, and takeovers how often it took them.
func Ownership(reg prometheus.Registerer, serving func() bool, epoch, takeovers func() uint64) error {
	for _, c := range []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pail_owner",
			Help: "1 while this server serves, as the owner of its directories or as one of several on a database; 0 while it stands by."}, func() float64 {
			if serving() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pail_epoch",
			Help: "Epoch in which this server owns its directories, 0 while it stands by."}, func() float64 { return float64(epoch()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "pail_takeovers_total",
			Help: "Times that this server has become the owner of its directories."}, func() float64 { return float64(takeovers()) }),
	} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}
