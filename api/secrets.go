package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

type rotation struct {
	Grace          *switchboard.Duration `json:"grace,omitempty" doc:"How long the previous secret also signs; at most 168h. A later rotation does not change that. Default: 24h" example:"24h"`
	RevokePrevious bool                  `json:"revoke_previous,omitempty" doc:"Ends all previous secrets at once, whatever their grace: for a leaked secret. Not together with grace"`
}

type rotateInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[rotation]
}

const (
	defaultGrace = 24 * time.Hour
	maxGrace     = 7 * 24 * time.Hour
)

func (s *server) rotateSecret(ctx context.Context, caller switchboard.Caller, in *rotateInput) (*reply[subscription], error) {
	grace := defaultGrace
	if in.JSON.Grace != nil {
		grace = time.Duration(*in.JSON.Grace)
	}
	if in.JSON.Grace != nil && in.JSON.RevokePrevious {
		return nil, switchboard.InvalidField("grace", "may not stand beside revoke_previous, which leaves none")
	}
	if grace < 0 || grace > maxGrace {
		return nil, switchboard.InvalidField("grace", "must be from 0s to %s", switchboard.Duration(maxGrace))
	}
	sub, err := s.Store.Subscription(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	secret := signing.NewSecret(sub.Signature.Scheme)
	if secret == "" {
		return nil, switchboard.InvalidField("signature.scheme", "is %s: there is no secret to rotate", sub.Signature.Scheme)
	}
	sub, err = s.Store.RotateSecret(ctx, caller, in.ID, secret, switchboard.Rotation{Grace: grace, RevokePrevious: in.JSON.RevokePrevious})
	if err == nil {
		err = s.addKeys(ctx, caller, &sub)
	}
	if err != nil {
		return nil, err
	}
	return &reply[subscription]{Body: withSecret(caller, &sub, secret)}, nil
}

// firstSecret returns the signing secret of a new subscription: the given one if it fits the
// scheme, otherwise a new one, or none if the scheme signs nothing.
func firstSecret(scheme switchboard.Scheme, given *switchboard.Secret) ([]switchboard.SigningSecret, error) {
	secret := signing.NewSecret(scheme)
	if given != nil {
		secret = *given
		if err := signing.CheckSecret(scheme, secret); err != nil {
			return nil, err
		}
	}
	return secretsOf(secret), nil
}

// nextSecrets returns the secrets that replace a subscription's secrets when its scheme changes.
// nil: the current one fits, or the scheme needs none.
func nextSecrets(scheme switchboard.Scheme, stored []switchboard.SigningSecret) []switchboard.SigningSecret {
	if signing.CheckSecret(scheme, current(stored)) == nil {
		return nil
	}
	return secretsOf(signing.NewSecret(scheme))
}

func secretsOf(secret switchboard.Secret) []switchboard.SigningSecret {
	if secret == "" {
		return nil
	}
	return []switchboard.SigningSecret{{Secret: secret}}
}

// current returns the current one of the secrets, or "".
func current(secrets []switchboard.SigningSecret) switchboard.Secret {
	for _, secret := range secrets {
		if secret.ExpiresAt.IsZero() {
			return secret.Secret
		}
	}
	return ""
}
