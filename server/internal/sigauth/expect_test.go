package sigauth

import "pail/server/internal/checksum"

func sumOf(a checksum.Algorithm, p []byte) checksum.Sum {
	if a == "" {
		return checksum.Sum{}
	}
	h := a.New()
	h.Write(p)
	return checksum.Sum{Algorithm: a, Value: h.Sum(nil)}
}
