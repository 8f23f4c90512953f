package awss3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"pail/s3client"
)

// Profile returns the credentials that the AWS configuration files give a profile: keys, SSO, an assumed role, a web
// identity or a credential process. "" means AWS_PROFILE or "default", and then the SDK's whole chain: environment,
// files, container, instance. The files are read at the first Retrieve and again after Invalidate.
func Profile(name string) s3client.CredentialsProvider {
	return Cached(func(ctx context.Context) (s3client.Credentials, error) {
		var opts []func(*config.LoadOptions) error
		if name != "" {
			opts = append(opts, config.WithSharedConfigProfile(name))
		}
		cfg, err := config.LoadDefaultConfig(ctx, opts...)
		if err != nil {
			return s3client.Credentials{}, fmt.Errorf("%w: profile %q: %v", s3client.ErrCredentials, name, err)
		}
		return fromSDK(ctx, cfg.Credentials)
	})
}

// InstanceRole are the options of IAMRole.
type InstanceRole struct {
	Name     string // of the role; "" or "auto": the first that the instance has
	V1Only   bool   // ask without a session token (IMDSv1)
	Endpoint string // "" means http://169.254.169.254
}

// IAMRole returns the credentials of an EC2 instance's role. It asks IMDSv2, and IMDSv1 where the former is missing.
func IAMRole(opt InstanceRole) s3client.CredentialsProvider {
	if opt.Endpoint == "" {
		opt.Endpoint = "http://169.254.169.254"
	}
	if opt.Name == "auto" {
		opt.Name = ""
	}
	provider := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = metadataClient(opt) })
	return Cached(func(ctx context.Context) (s3client.Credentials, error) { return fromSDK(ctx, provider) })
}

// roleList is where the metadata service lists its roles.
const roleList = "/iam/security-credentials/"

func metadataClient(opt InstanceRole) ec2rolecreds.GetMetadataAPIClient {
	var client ec2rolecreds.GetMetadataAPIClient
	if opt.V1Only {
		client = metadataV1{base: opt.Endpoint + "/latest/meta-data", http: &http.Client{Timeout: 10 * time.Second}}
	} else {
		client = imds.New(imds.Options{Endpoint: opt.Endpoint, EnableFallback: aws.TrueTernary})
	}
	if opt.Name != "" {
		client = namedRole{name: opt.Name, next: client}
	}
	return client
}

// namedRole answers the list of roles itself.
type namedRole struct {
	name string
	next ec2rolecreds.GetMetadataAPIClient
}

func (n namedRole) GetMetadata(ctx context.Context, in *imds.GetMetadataInput, opts ...func(*imds.Options)) (*imds.GetMetadataOutput, error) {
	if in.Path == roleList {
		return &imds.GetMetadataOutput{Content: io.NopCloser(strings.NewReader(n.name))}, nil
	}
	return n.next.GetMetadata(ctx, in, opts...)
}

// metadataV1 asks the metadata service without a session token.
type metadataV1 struct {
	base string
	http *http.Client
}

func (m metadataV1) GetMetadata(ctx context.Context, in *imds.GetMetadataInput, _ ...func(*imds.Options)) (*imds.GetMetadataOutput, error) {
	name := m.base + path.Clean("/"+in.Path)
	if strings.HasSuffix(in.Path, "/") {
		name += "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	resp, err := m.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		finish(resp)
		return nil, fmt.Errorf("instance metadata answers %s", resp.Status)
	}
	return &imds.GetMetadataOutput{Content: resp.Body}, nil
}

// Container returns the credentials of an ECS task, or of an EKS pod identity, as getenv's
// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI tells; a nil getenv means os.Getenv.
func Container(getenv func(string) string) (s3client.CredentialsProvider, error) {
	if getenv == nil {
		getenv = os.Getenv
	}
	endpoint, err := containerEndpoint(getenv)
	if err != nil {
		return nil, err
	}
	provider := endpointcreds.New(endpoint, func(o *endpointcreds.Options) {
		o.AuthorizationToken = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(file)
				return strings.TrimSpace(string(token)), err
			})
		}
	})
	return Cached(func(ctx context.Context) (s3client.Credentials, error) { return fromSDK(ctx, provider) }), nil
}

// containerEndpoint works out the URL. Over plain http only the addresses of ECS and EKS and the loopback may get the
// token.
func containerEndpoint(getenv func(string) string) (string, error) {
	if relative := getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		if !strings.HasPrefix(relative, "/") {
			return "", errors.New("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /")
		}
		return "http://169.254.170.2" + relative, nil
	}
	full := getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if full == "" {
		return "", errors.New("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set: not inside an ECS task")
	}
	u, err := url.Parse(full)
	if err != nil {
		return "", fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI: %w", err)
	}
	if u.Scheme != "https" && !isContainerHost(u.Hostname()) {
		return "", errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that must not be asked over plain http")
	}
	return full, nil
}

func isContainerHost(host string) bool {
	ip := net.ParseIP(host)
	switch {
	case host == "localhost", ip != nil && ip.IsLoopback():
		return true
	}
	return host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23"
}

// fromSDK asks one of the SDK's providers.
func fromSDK(ctx context.Context, p aws.CredentialsProvider) (s3client.Credentials, error) {
	creds, err := p.Retrieve(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return s3client.Credentials{}, ctx.Err()
		}
		return s3client.Credentials{}, fmt.Errorf("%w: %v", s3client.ErrCredentials, err)
	}
	out := s3client.Credentials{AccessKey: creds.AccessKeyID, SecretKey: creds.SecretAccessKey, SessionToken: creds.SessionToken}
	if creds.CanExpire {
		out.Expires = creds.Expires
	}
	return out, nil
}
