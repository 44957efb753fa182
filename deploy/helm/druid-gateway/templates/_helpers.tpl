{{- define "druid-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "druid-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "druid-gateway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "druid-gateway.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "druid-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "druid-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "druid-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "druid-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "druid-gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "druid-gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "druid-gateway.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Where nodes are known from. */}}
{{- define "druid-gateway.source" -}}
{{- dig "discovery" "type" "zookeeper" .Values.config -}}
{{- end -}}

{{/* All sources, those of config.discovery.fallback too, as a JSON list. */}}
{{- define "druid-gateway.sources" -}}
{{- $further := dig "discovery" "fallback" list .Values.config -}}
{{- if kindIs "string" $further -}}
{{- $further = splitList "," (nospace $further) -}}
{{- end -}}
{{- prepend ($further | default list) (include "druid-gateway.source" .) | toJson -}}
{{- end -}}

{{/* feeds.kubernetes of the configuration with the gateway's defaults (services, lease, portName, namespace); {} if there is none. */}}
{{- define "druid-gateway.feed" -}}
{{- with dig "feeds" "kubernetes" dict .Values.config -}}
{{- $services := default dict .services -}}
{{- $first := default $services.overlord $services.coordinator -}}
{{- $defaults := dict "namespace" $.Release.Namespace "lease" (printf "%s-endpoints" $first) "portName" "http" -}}
{{- dict "services" $services | merge (pick . "namespace" "lease" "portName") | mergeOverwrite $defaults | toYaml -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* Whether pods have the token of their account. */}}
{{- define "druid-gateway.automount" -}}
{{- $feeds := ne (include "druid-gateway.feed" .) "{}" -}}
{{- or .Values.serviceAccount.automountServiceAccountToken (has "kubernetes" (include "druid-gateway.sources" . | fromJsonArray)) $feeds -}}
{{- end -}}

{{/* The path of the ingress, of probes by clients, and of the test. */}}
{{- define "druid-gateway.basePath" -}}
{{- trimSuffix "/" .Values.listen.basePath -}}
{{- end -}}

{{- define "druid-gateway.host" -}}
{{- default (ternary "127.0.0.1" "0.0.0.0" (eq .Values.mode "sidecar")) .Values.listen.host -}}
{{- end -}}

{{/* The name of the port for clients: a pod's own container may have one that is called http. */}}
{{- define "druid-gateway.portName" -}}
{{- $scheme := ternary "https" "http" (ne .Values.listen.tls.existingSecret "") -}}
{{- ternary (printf "gw-%s" $scheme) $scheme (eq .Values.mode "sidecar") -}}
{{- end -}}

{{/* The gateway's configuration: `config` of the values, and what the chart decides. */}}
{{- define "druid-gateway.config" -}}
{{- range $key := list "listen" "admin" -}}
{{- if hasKey $.Values.config $key -}}
{{- fail (printf "config.%s: the chart sets it; see the value %s" $key $key) -}}
{{- end -}}
{{- end -}}
{{- $listen := dict "host" (include "druid-gateway.host" .) "port" (int .Values.listen.port) -}}
{{- if include "druid-gateway.basePath" . -}}
{{- $_ := set $listen "basePath" (include "druid-gateway.basePath" .) -}}
{{- end -}}
{{- if .Values.listen.tls.existingSecret -}}
{{- $tls := dict "certFile" "/etc/druid-gateway/tls/tls.crt" "keyFile" "/etc/druid-gateway/tls/tls.key" -}}
{{- if .Values.listen.tls.clientCertificates -}}
{{- $tls = merge $tls (dict "caFile" "/etc/druid-gateway/tls/ca.crt" "requireClientCertificate" true) -}}
{{- end -}}
{{- $_ := set $listen "tls" $tls -}}
{{- end -}}
{{- $health := dict "listen" (dict "host" "0.0.0.0" "port" (int .Values.admin.healthPort)) -}}
{{- $admin := dict "listen" (dict "host" "127.0.0.1" "port" 9888) "health" $health -}}
{{- if .Values.admin.tokenSecret -}}
{{- $_ := set $admin "tokenFile" "/etc/druid-gateway/admin/token" -}}
{{- end -}}
{{- with .Values.admin.viewClients -}}
{{- $_ := set $admin "viewClients" . -}}
{{- end -}}
{{- $own := dict "listen" $listen "admin" $admin -}}
{{- if .Values.state.enabled -}}
{{- $_ := set $own "history" (dict "file" "/var/lib/druid-gateway/history.json") -}}
{{- if ne (include "druid-gateway.source" .) "static" -}}
{{- $_ := set $own "discovery" (dict "snapshotFile" "/var/lib/druid-gateway/snapshot.json") -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.config)) -}}
{{- end -}}

{{/*
What a reload does not take up: src/config/reloadable.ts, which a test compares with this. The roll-out of a change of
these is the only thing that the checksum of the pods is for.
*/}}
{{- define "druid-gateway.needsRestart" -}}
{{- $config := include "druid-gateway.config" . | fromYaml -}}
{{- $left := omit $config "discovery" "zookeeper" "kubernetes" "consul" "dns" "static" "queries" "brokers" "parking" "retries" "mode" "redirect" "routes" "forwarded" "cors" -}}
{{- with $left.listen -}}
{{- $_ := set $left "listen" (omit . "basePath") -}}
{{- end -}}
{{- with $left.log -}}
{{- $_ := set $left "log" (pick . "format") -}}
{{- end -}}
{{- with $left.tracing -}}
{{- $_ := set $left "tracing" (omit . "sampleRatio" "followParent") -}}
{{- end -}}
{{- with $left.admin -}}
{{- $_ := set $left "admin" (omit . "viewClients") -}}
{{- end -}}
{{- with $left.upstream -}}
{{- $_ := set $left "upstream" (omit . "totalTimeout" "abandonedTimeout" "byClass" "maxRequestsPerNode" "bufferBody" "showNode") -}}
{{- end -}}
{{- with $left.limits -}}
{{- $_ := set $left "limits" (omit . "bodyIdleTimeout" "minBodyRate" "bodyMemory" "concurrency" "queue") -}}
{{- end -}}
{{- /* A section of which nothing is left is as good as none. */ -}}
{{- range $key, $value := $left -}}
{{- if empty $value -}}
{{- $_ := unset $left $key -}}
{{- end -}}
{{- end -}}
{{- toYaml $left -}}
{{- end -}}

{{/* Seconds of a duration of the gateway's: 250ms, 30s, 5m, 1h, or a number of milliseconds. Rounded up. */}}
{{- define "druid-gateway.seconds" -}}
{{- $text := toString . -}}
{{- if hasSuffix "ms" $text -}}
{{- div (add (trimSuffix "ms" $text | int) 999) 1000 -}}
{{- else if hasSuffix "s" $text -}}
{{- trimSuffix "s" $text | float64 | ceil | int -}}
{{- else if hasSuffix "m" $text -}}
{{- mulf (trimSuffix "m" $text | float64) 60 | ceil | int -}}
{{- else if hasSuffix "h" $text -}}
{{- mulf (trimSuffix "h" $text | float64) 3600 | ceil | int -}}
{{- else -}}
{{- div (add (int $text) 999) 1000 -}}
{{- end -}}
{{- end -}}

{{/* The gateway ends 10 s after delay and drain at the latest. */}}
{{- define "druid-gateway.gracePeriod" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- $delay := include "druid-gateway.seconds" (dig "shutdown" "delay" 0 .Values.config) | int -}}
{{- $drain := include "druid-gateway.seconds" (dig "shutdown" "drain" "30s" .Values.config) | int -}}
{{- add $delay $drain 15 -}}
{{- end -}}
{{- end -}}

{{/* The container, for the Deployment and for a sidecar. */}}
{{- define "druid-gateway.container" -}}
name: druid-gateway
image: {{ include "druid-gateway.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - serve
  - --config=/etc/druid-gateway/config/gateway.yaml
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if ne (include "druid-gateway.host" .) "127.0.0.1" }}
  - { name: {{ include "druid-gateway.portName" . }}, containerPort: {{ int .Values.listen.port }}, protocol: TCP }
  {{- end }}
  - { name: gw-health, containerPort: {{ int .Values.admin.healthPort }}, protocol: TCP }
startupProbe:
  httpGet: { path: /health/live, port: gw-health }
  {{- toYaml .Values.startupProbe | nindent 2 }}
livenessProbe:
  httpGet: { path: /health/live, port: gw-health }
  {{- toYaml .Values.livenessProbe | nindent 2 }}
readinessProbe:
  httpGet: { path: /health/ready, port: gw-health }
  {{- toYaml .Values.readinessProbe | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  # Whole folders: what is mounted by subPath never changes.
  - { name: gateway-config, mountPath: /etc/druid-gateway/config, readOnly: true }
  {{- if .Values.listen.tls.existingSecret }}
  - { name: gateway-tls, mountPath: /etc/druid-gateway/tls, readOnly: true }
  {{- end }}
  {{- if .Values.admin.tokenSecret }}
  - { name: gateway-admin, mountPath: /etc/druid-gateway/admin, readOnly: true }
  {{- end }}
  {{- range .Values.secretFiles }}
  - { name: gateway-secret-{{ .name }}, mountPath: /etc/druid-gateway/secrets/{{ .name }}, readOnly: true }
  {{- end }}
  {{- if .Values.state.enabled }}
  - { name: gateway-state, mountPath: /var/lib/druid-gateway }
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "druid-gateway.volumes" -}}
{{- /* 0440: the pod's fsGroup may read it. A sidecar cannot count on one: 0444. */ -}}
{{- $mode := ternary 292 288 (eq .Values.mode "sidecar") }}
- name: gateway-config
  configMap: { name: {{ include "druid-gateway.fullname" . }}-config }
{{- with .Values.listen.tls.existingSecret }}
- name: gateway-tls
  secret: { secretName: {{ . }}, defaultMode: {{ $mode }} }
{{- end }}
{{- with .Values.admin.tokenSecret }}
- name: gateway-admin
  secret: { secretName: {{ . }}, defaultMode: {{ $mode }}, items: [{ key: token, path: token }] }
{{- end }}
{{- range .Values.secretFiles }}
- name: gateway-secret-{{ .name }}
  secret: { secretName: {{ .secretName }}, defaultMode: {{ $mode }} }
{{- end }}
{{- if .Values.state.enabled }}
- name: gateway-state
  emptyDir: { sizeLimit: {{ .Values.state.sizeLimit }} }
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
